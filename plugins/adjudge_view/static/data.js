/* Where data come from: the server that sent this page or, in a copy, the scripts beside it. */
"use strict";

(() => {
  const { copy } = window.adjudge;

  /** What stands behind /api/PATH, with parameters; fails with an Error whose message a person can read. */
  async function get(path, params, signal) {
    if (window.ADJUDGE_EXPORT) return copy.get(path, new URLSearchParams(params || ""));
    const query = new URLSearchParams(params || "").toString();
    let answer;
    try {
      answer = await fetch(`/api/${path.map(encodePart).join("/")}${query ? `?${query}` : ""}`, { signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("The server does not answer. Is 'adjudge view' still running?");
    }
    const body = await answer.json().catch(() => null);
    if (!answer.ok) throw new Error(body?.error?.message || `The server answered ${answer.status}.`);
    return body;
  }

  /** One name of the path; a judgement's id keeps its slashes. */
  const encodePart = (part) => String(part).split("/").map(encodeURIComponent).join("/");

  /** Call back whenever something in a run has changed; a copy never changes. */
  function listen(changed) {
    if (window.ADJUDGE_EXPORT) return;
    const events = new EventSource("/api/events");
    events.addEventListener("changed", (event) => changed(JSON.parse(event.data)));
  }

  Object.assign(window.adjudge, { get, listen });
})();

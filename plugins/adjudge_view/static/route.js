/* What the address says: a path of names and the state of every filter, so that each view can be sent as a link. */
"use strict";

(() => {
  /** {path: ["runs", "demo", "judgements"], params: URLSearchParams} of the address, or of another hash. */
  function read(hash = location.hash) {
    const [path, query] = hash.replace(/^#\/?/, "").split("?");
    return { path: path.split("/").filter(Boolean).map(decoded), params: new URLSearchParams(query || "") };
  }

  function decoded(part) {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  }

  /** The link to a path, with parameters that are not empty. */
  function link(path, params) {
    const query = new URLSearchParams();
    const pairs =
      params instanceof URLSearchParams
        ? [...params]
        : Object.entries(params || {}).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
    for (const [name, value] of pairs) if (value !== null && value !== undefined && value !== "") query.append(name, value);
    const text = query.toString();
    return `#/${path.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
  }

  /** These parameters with others set or, by null or "", removed. */
  function changed(params, changes) {
    const copy = new URLSearchParams(params);
    for (const [name, value] of Object.entries(changes)) {
      copy.delete(name);
      for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") copy.append(name, one);
    }
    return copy;
  }

  /** Go there; in the same entry of the browser's history where only a search is being typed. */
  function go(hash, replace = false) {
    if (hash === location.hash) return;
    if (replace) {
      history.replaceState(null, "", hash);
      window.dispatchEvent(new HashChangeEvent("hashchange"));
    } else {
      location.hash = hash;
    }
  }

  Object.assign(window.adjudge, { route: { read, link, changed, go } });
})();

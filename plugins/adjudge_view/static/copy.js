/* A copy (--export): data come as scripts, for a page opened as a file may not fetch; filters, order and pages are made here. */
"use strict";

(() => {
  const waiting = new Map();
  const had = new Map();

  window.ADJUDGE_DATA = (path, value) => {
    had.set(path, value);
    waiting.get(path)?.done(value);
  };

  /** The data of one file, loaded once. */
  function load(path) {
    if (had.has(path)) return Promise.resolve(had.get(path));
    if (!waiting.has(path)) {
      const entry = {};
      entry.promise = new Promise((done, failed) => Object.assign(entry, { done, failed }));
      waiting.set(path, entry);
      const script = document.createElement("script");
      script.src = `data/${path.split("/").map(encodeURIComponent).join("/")}.js`;
      script.onerror = () => {
        waiting.delete(path);
        entry.failed(new Error("This copy does not hold that; the run folder may."));
      };
      document.head.append(script);
    }
    return waiting.get(path).promise;
  }

  const all = (params, name) => params.getAll(name);
  const among = (params, name, value) => !params.has(name) || all(params, name).includes(String(value));
  const spoken = (value) => (value === true ? "yes" : value === false ? "no" : "none");
  const least = (params, name, value) => !params.has(name) || (typeof value === "number" && value >= Number(params.get(name)));
  const most = (params, name, value) => !params.has(name) || (typeof value === "number" && value <= Number(params.get(name)));

  const FITS = {
    judgements: (row, params) =>
      ["stage", "set", "outcome", "order", "problem", "step"].every((name) => among(params, name, row[name])) &&
      among(params, "right", spoken(row.right)) &&
      among(params, "kept", spoken(row.kept)) &&
      least(params, "score_min", row.score) &&
      most(params, "score_max", row.score) &&
      least(params, "length_min", row.tokens) &&
      most(params, "length_max", row.tokens),
    tournaments: (row, params) => among(params, "right", spoken(row.right)),
    groups: (row, params) => among(params, "stage", row.stage) && among(params, "step", row.step),
  };

  const FIELDS = { length: "tokens" };

  /** Rows in the order that is asked for; those without the number stand last. */
  function sorted(rows, sort) {
    if (sort === "newest") return [...rows].reverse();
    if (!sort || sort === "given") return rows;
    const name = sort.replace(/^-/, "");
    const field = FIELDS[name] || name;
    const sign = sort.startsWith("-") ? -1 : 1;
    const known = rows.filter((row) => typeof row[field] === "number");
    return [...known.sort((a, b) => sign * (a[field] - b[field])), ...rows.filter((row) => typeof row[field] !== "number")];
  }

  async function list(run, kind, params) {
    const whole = await load(`runs/${run}/${kind}`);
    let rows = whole.items.filter((row) => FITS[kind](row, params));
    const text = (params.get("text") || "").toLowerCase();
    if (text) {
      const texts = kind === "judgements" ? (await load(`runs/${run}/texts`)).texts : null;
      const places = texts ? new Map(whole.items.map((row, place) => [row.id, place])) : null;
      rows = rows.filter((row) => (texts ? texts[places.get(row.id)] : JSON.stringify(row).toLowerCase()).includes(text));
    }
    return { ...whole, counts: counts(rows), ...page(sorted(rows, params.get("sort")), params) };
  }

  function counts(rows) {
    const found = { outcome: {}, right: {} };
    for (const row of rows) {
      found.outcome[row.outcome] = (found.outcome[row.outcome] || 0) + 1;
      found.right[spoken(row.right)] = (found.right[spoken(row.right)] || 0) + 1;
    }
    return found;
  }

  function page(rows, params) {
    const offset = Number(params.get("offset") || 0);
    return { total: rows.length, offset, items: rows.slice(offset, offset + Number(params.get("limit") || 50)) };
  }

  async function one(run, kind, id) {
    const { items } = await load(`runs/${run}/${kind}`);
    const row = items.find((each) => each.id === id);
    if (!row) throw new Error("This copy does not hold that; the run folder may.");
    return (await load(`runs/${run}/${kind}-${row.shard}`))[id];
  }

  async function compare(params) {
    const whole = await load(`compare/${params.get("a")}~${params.get("b")}`.replaceAll(":", "."));
    const text = (params.get("text") || "").toLowerCase();
    const rows = whole.items.filter(
      (row) =>
        among(params, "set", row.set) && among(params, "change", row.change) && (!text || JSON.stringify(row).toLowerCase().includes(text)),
    );
    return { ...whole, ...page(rows, params) };
  }

  /** What the server would answer. */
  function get(path, params) {
    if (path[0] === "compare") return compare(params);
    const [, run, kind, id] = path;
    if (!run || kind === "curves") return load(path.join("/"));
    return id ? one(run, kind, id) : list(run, kind, params);
  }

  Object.assign(window.adjudge, { copy: { get } });
})();

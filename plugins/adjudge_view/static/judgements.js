/* The view of judgements: a list with filters and, open beside it, one judgement with all that is known of it. */
"use strict";

(() => {
  const {
    h,
    chip,
    facts,
    section,
    table,
    whole,
    many,
    number,
    percent,
    symbol,
    brief,
    rightness,
    kindOf,
    whyKept,
    textPane,
    term,
    list,
    get,
    route,
  } = window.adjudge;

  const OUTCOMES = ["first", "second", "tie", "unreadable", "truncated", "failed"];
  const SORTS = [
    ["-score", "highest score"],
    ["score", "lowest score"],
    ["-length", "longest"],
    ["length", "shortest"],
    ["newest", "newest"],
  ];
  const same = (words) => words.map((word) => [word, word]);

  function view(run) {
    const stages = [...new Set(run.sets.map((one) => one.stage).filter(Boolean))];
    const sets = [...new Set(run.sets.map((one) => one.set).filter(Boolean))];
    return {
      key: `judgements ${run.run} ${stages} ${sets} ${run.has.kept}`,
      run: run.run,
      name: "judgements",
      path: ["runs", run.run, "judgements"],
      source: { path: ["runs", run.run, "judgements"] },
      filters: [
        { name: "text", label: "Search", hint: "prompt, answers, judgement", wide: true },
        stages.length > 1 && { name: "stage", label: "Stage", options: same(stages) },
        sets.length > 1 && { name: "set", label: "Set", options: same(sets) },
        {
          name: "right",
          label: "Verdict",
          options: [
            ["yes", "right"],
            ["no", "wrong"],
            ["none", "not known"],
          ],
        },
        { name: "outcome", label: "Outcome", options: same(OUTCOMES) },
        run.has.kept && {
          name: "kept",
          label: "Path",
          options: [
            ["yes", "kept"],
            ["no", "dropped"],
            ["none", "not scored"],
          ],
        },
        { name: "sort", label: "Order", any: "as written", options: SORTS },
      ],
      more: [
        {
          name: "order",
          label: "Shown",
          options: [
            ["given", "as given"],
            ["swapped", "swapped"],
          ],
        },
        { name: "step", label: "Step", number: true },
        { name: "score_min", label: "Score from", number: true },
        { name: "score_max", label: "Score to", number: true },
        { name: "problem", label: "Problem's id" },
        { name: "length_min", label: "Tokens from", number: true },
        { name: "length_max", label: "Tokens to", number: true },
      ],
      id: (row) => row.id,
      row: lightRow,
      none: "No judgement is written yet.",
      absent: "Choose a judgement, or press j, to read it here.",
      head: (answer) => summary(answer),
      detail: async (id, params, frame) => article(run.run, await get(["runs", run.run, "judgements", id]), params, frame),
    };
  }

  /** What fits the filters, in one line. */
  function summary({ total, counts }) {
    if (!total || !counts) return null;
    const { yes = 0, no = 0 } = counts.right || {};
    const bad = ["unreadable", "truncated", "failed"].filter((name) => counts.outcome?.[name]);
    return h(
      "p",
      { class: "summary" },
      `${many(total, "judgement")}`,
      yes + no ? `: ${whole(yes)} right, ${whole(no)} wrong (${percent(yes / (yes + no))} right of those with a label)` : "",
      bad.length ? `; ${bad.map((name) => `${whole(counts.outcome[name])} ${name}`).join(", ")}` : "",
      ".",
    );
  }

  function lightRow(row) {
    const kind = kindOf(row);
    return [
      h(
        "span",
        { class: "line" },
        chip(rightness(row.right) && kind !== "undecided" ? rightness(row.right) : row.outcome, kind),
        row.kept ? chip("kept", "kept") : null,
        h("span", { class: "where" }, [row.stage, row.set !== row.stage ? row.set : null].filter(Boolean).join(" · ")),
        h(
          "span",
          { class: "number" },
          typeof row.score === "number" ? `${symbol(row.score_name)} ${number(row.score)}` : `${whole(row.tokens ?? 0)} tokens`,
        ),
      ),
      h("span", { class: "what" }, brief(row.prompt, 90)),
      h("span", { class: "note" }, row.error ? `failed: ${brief(row.error, 90)}` : brief(row.snippet, 100)),
    ];
  }

  /* One judgement ------------------------------------------------------------------------------------------------------------- */

  /** What the judge said, and whether the label agrees, as a sentence. */
  function verdictSentence(one) {
    if (one.outcome === "failed") return `The call failed${one.error ? `: ${one.error}` : ""}.`;
    if (one.outcome === "truncated") return "The text was cut off before a verdict, so this judgement counts as not right.";
    if (one.outcome === "unreadable") return "No verdict can be read in the text, so this judgement counts as not right.";
    if (one.outcome === "tie") return `The judge calls it a tie${labelled(one)}.`;
    const chosen = (one.answers || []).find((answer) => answer.own === one.outcome);
    if (!chosen) return `The verdict is “${one.outcome}”${labelled(one)}.`;
    return `The judge prefers ${quoted(chosen.text)}, the answer shown ${chosen.shown === 1 ? "first" : "second"}${labelled(one)}.`;
  }

  const quoted = (text) => (text.length <= 40 ? `“${text}”` : `“${brief(text, 40)}”`);

  function labelled(one) {
    const right = (one.answers || []).find((answer) => answer.right);
    if (one.right === true) return ": right, as the label says";
    if (one.right === false) return right ? `: wrong, for the label names ${quoted(right.text)}` : ": wrong by the label";
    return "; no label says which is right";
  }

  function article(run, one, params, frame) {
    const why = whyKept(one);
    const choose = (name) => (frame ? list.keep(frame, { heat: name }) : null);
    return [
      h(
        "h2",
        {},
        chip(one.right === null || kindOf(one) === "undecided" ? one.outcome : rightness(one.right), kindOf(one)),
        " ",
        verdictSentence(one),
      ),
      why ? h("p", { class: "reason" }, why) : null,
      facts([
        ["stage", one.stage],
        ["set", one.set],
        ["step", one.step],
        [term("outcome"), outcome(one)],
        [term("order"), one.order],
        [term("label"), one.label || "none"],
        ["tokens", whole(one.tokens ?? 0)],
        ["probability", probability(one)],
        [scoreWord(one), typeof one.score === "number" ? number(one.score) : null],
        ["problem", h("a", { href: route.link(["runs", run, "judgements"], { problem: one.problem }) }, one.problem)],
      ]),
      h("h3", {}, "Prompt"),
      h("p", { class: "asked", tabindex: "0", role: "group", "aria-label": "Prompt" }, one.prompt),
      answers(one),
      h("h3", {}, "What the judge wrote"),
      one.text || one.opened ? null : h("p", { class: "absent" }, "Nothing."),
      one.opened ? h("p", { class: "caption" }, "The answer was opened for the judge with ", h("code", {}, one.opened)) : null,
      one.text ? textPane(one, params?.get("heat"), choose) : null,
      parts(one),
      told(one),
      siblings(run, one, params),
      elsewhere(run, one),
    ];
  }

  const scoreWord = (one) => term(symbol(one.score_name));

  const outcome = (one) => {
    const said = one.verdict?.outcome;
    return said && said !== one.outcome ? `${said} as shown, ${one.outcome} in the problem's order` : one.outcome;
  };

  const probability = (one) =>
    typeof one.verdict?.probability === "number" ? `${number(one.verdict.probability)} that the first is better` : null;

  function answers(one) {
    if (!one.answers?.length) return null;
    const shown = [...one.answers].sort((a, b) => a.shown - b.shown);
    return h(
      "div",
      { class: "pair" },
      shown.map((answer) => {
        const chosen = answer.own === one.outcome;
        const words = `Answer shown ${answer.shown === 1 ? "first" : "second"}`;
        return h(
          "div",
          { class: `answer-shown ${chosen ? "chosen" : ""}` },
          h("h3", {}, words, " ", answer.right ? chip("right by the label", "right") : null, chosen ? chip("preferred", "kept") : null),
          h("p", { class: "asked", tabindex: "0", role: "group", "aria-label": words }, answer.text),
        );
      }),
    );
  }

  function parts(one) {
    const found = Object.entries(one.score_parts || {});
    if (!found.length) return null;
    return [
      h("h3", {}, `What its ${symbol(one.score_name)} is made of`),
      facts([[scoreWord(one), number(one.score)], ...found.map(([name, value]) => [term(name.replaceAll("_", " ")), number(value)])]),
    ];
  }

  function told(one) {
    const found = Object.entries(one.verdict?.told || {});
    return found.length
      ? [
          h("h3", {}, "What the verdict tells besides"),
          facts(
            found.map(([name, value]) => [
              name.replaceAll("_", " "),
              typeof value === "number" ? number(value) : typeof value === "string" ? value : JSON.stringify(value),
            ]),
          ),
        ]
      : null;
  }

  function siblings(run, one, params) {
    if ((one.siblings || []).length < 2) return null;
    const scored = one.siblings.some((other) => typeof other.score === "number");
    const rows = one.siblings.map((other, place) => {
      const self = other.id === one.id;
      const name = `${place + 1}${self ? ", this one" : ""}`;
      return h(
        "tr",
        { class: `${other.kept ? "kept" : ""} ${self ? "self" : ""}` },
        h("th", { scope: "row" }, self ? name : h("a", { href: route.link(["runs", run, "judgements", ...other.id.split("/")], params) }, name)),
        h("td", {}, chip(rightness(other.right) || other.outcome, kindOf(other))),
        scored ? h("td", { class: "strong" }, number(other.score)) : null,
        h("td", {}, other.outcome),
        h("td", {}, other.order),
        h("td", {}, whole(other.tokens ?? 0)),
        one.siblings.some((each) => each.why) ? h("td", { class: "words" }, other.why) : null,
      );
    });
    const head = [
      "path",
      "verdict",
      scored ? scoreWord(one) : null,
      term("outcome"),
      term("order"),
      "tokens",
      one.siblings.some((other) => other.why) ? ["what became of it", "words"] : null,
    ];
    return [
      h("h3", {}, "Beside its siblings of the same problem"),
      table(
        head.filter((name) => name !== null),
        rows,
        "Siblings of the same problem",
      ),
    ];
  }

  /** One line for each stage and set that judged the same problem; several judgements are counted and lead to their list. */
  function elsewhere(run, one) {
    const places = new Map();
    for (const other of one.elsewhere || []) {
      const name = `${other.stage} · ${other.set}`;
      places.set(name, [...(places.get(name) || []), other]);
    }
    if (!places.size) return null;
    const lines = [...places].map(([name, others]) =>
      h("li", {}, others.length === 1 ? single(run, name, others[0]) : several(run, one, name, others)),
    );
    return [h("h3", {}, "The same problem in other stages"), h("ul", { class: "plain" }, lines)];
  }

  const single = (run, name, other) => [
    chip(rightness(other.right) || other.outcome, kindOf(other)),
    " ",
    h("a", { href: route.link(["runs", run, "judgements", ...other.id.split("/")]) }, name),
    ` ${other.outcome}`,
  ];

  function several(run, one, name, others) {
    const of = (right) => others.filter((other) => other.right === right).length;
    const [{ stage, set }] = others;
    return [
      of(true) ? [chip(`${of(true)} right`, "right"), " "] : null,
      of(false) ? [chip(`${of(false)} wrong`, "wrong"), " "] : null,
      h("a", { href: route.link(["runs", run, "judgements"], { problem: one.problem, stage, set }) }, name),
      ` ${many(others.length, "judgement")}`,
    ];
  }

  Object.assign(window.adjudge, { judgementsView: view, judgementArticle: article, lightRow, section });
})();

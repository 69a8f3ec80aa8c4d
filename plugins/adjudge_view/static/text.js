/* A judge's text with reasoning and answer marked, or as a heat map of any statistic recorded for its tokens. */
"use strict";

(() => {
  const { h, put, number, say } = window.adjudge;

  const PROBABILITY = [0.99, 0.9, 0.7, 0.4, 0.1];
  const LEVELS = 6;
  const NAMES = { probability: "probability of each token", logprob: "log-probability, nats" };

  /** What can be shown of a judgement: name of the statistic to its values, one for each piece of text. */
  function statistics(shown) {
    if (!shown) return {};
    const found = {};
    if (shown.logprobs?.some((value) => value !== null)) {
      found.probability = shown.logprobs.map((value) => (value === null ? null : Math.exp(Math.min(0, value))));
      found.logprob = shown.logprobs;
    }
    return { ...found, ...shown.statistics };
  }

  /** The pane: a chooser above the text where tokens' numbers were recorded; `chosen` is the state of it, `choose` is told a new one. */
  function textPane(one, chosen, choose) {
    const found = statistics(one.tokens_shown);
    const names = Object.keys(found);
    const body = h("div", {});
    const show = (name) => put(body, name in found ? heatMap(one, name, found[name]) : marked(one));
    const start = chosen && (chosen === "marks" || chosen in found) ? chosen : names[0] || "marks";
    show(start);
    if (!names.length) return h("div", { class: "judged" }, body);
    const select = h(
      "select",
      {
        id: "heat",
        onchange: () => {
          show(select.value);
          choose(select.value);
        },
      },
      ["marks", ...names].map((name) => h("option", { value: name, selected: name === start }, label(name))),
    );
    return h("div", { class: "judged" }, h("p", { class: "chooser" }, h("label", { for: "heat" }, "Colour the text by "), select), body);
  }

  const label = (name) => (name === "marks" ? "reasoning and answer" : NAMES[name] || name.replaceAll("_", " "));

  /** The text with reasoning and answer marked as the parser found them. */
  function marked(one) {
    const kinds = new Set(one.pieces.map((piece) => piece.kind).filter(Boolean));
    return [
      kinds.size
        ? h(
            "p",
            { class: "legend" },
            [...kinds].map((kind) => h("mark", { class: kind }, kind)),
          )
        : null,
      h("pre", { tabindex: "0", role: "group", "aria-label": "What the judge wrote" }, one.pieces.map(piece)),
    ];
  }

  const piece = ({ kind, text }) => (kind ? h("mark", { class: kind }, text) : text);

  /** From a value to its level, 0 (calm) to 5 (hot), and words for each level. */
  function scale(name, values) {
    if (name === "probability") {
      return {
        level: (value) => PROBABILITY.filter((bound) => value < bound).length,
        words: [...PROBABILITY.map((bound) => `≥ ${bound}`), "< 0.1"],
      };
    }
    const known = values.filter((value) => value !== null);
    const low = known.reduce((found, value) => Math.min(found, value), Infinity);
    const high = known.reduce((found, value) => Math.max(found, value), -Infinity);
    const step = (high - low) / LEVELS || 1;
    const falling = name === "logprob";
    const level = (value) => Math.min(LEVELS - 1, Math.floor((falling ? high - value : value - low) / step));
    const edge = (place) => (falling ? high - place * step : low + place * step);
    const words = Array.from({ length: LEVELS }, (_, place) => `${falling ? "≤" : "≥"} ${number(edge(place), 2)}`);
    return { level, words: high > low ? words : words.slice(0, 1) };
  }

  function heatMap(one, name, values) {
    const { texts, kinds } = one.tokens_shown;
    const { level, words } = scale(name, values);
    const told = h("span", { class: "told" }, "Point at a token, or move with ← and →.");
    const pre = h("pre", {
      class: "tokens",
      tabindex: "0",
      role: "group",
      "aria-label": `What the judge wrote, coloured by ${label(name)}; arrow keys move from token to token`,
    });
    const spans = texts.map((text, place) => {
      const hot = values[place] === null || values[place] === undefined ? "" : `h${level(values[place])}`;
      const span = h("span", { class: `${hot} ${kinds[place] || "beside"}` }, text);
      pre.append(span);
      return span;
    });
    follow(
      pre,
      spans,
      (place) => `${JSON.stringify(texts[place])}: ${number(values[place])}${kinds[place] ? `, in the ${kinds[place]}` : ""}`,
      told,
    );
    const legend = words.map((text, place) => h("span", {}, h("i", { class: `h${place}`, "aria-hidden": "true" }, "ab"), text));
    return [
      h(
        "p",
        { class: "legend" },
        legend,
        kinds.includes("answer") ? h("span", {}, h("i", { class: "answer", "aria-hidden": "true" }, "ab"), "the answer") : null,
      ),
      pre,
      h("p", { class: "caption" }, told),
    ];
  }

  /** Tell the number of the token under the pointer, or of the one that the arrow keys have come to. */
  function follow(pre, spans, words, told) {
    let at = -1;
    const tell = (place) => {
      told.textContent = words(place);
    };
    pre.addEventListener("pointerover", (event) => {
      const place = spans.indexOf(event.target);
      if (place >= 0) tell(place);
    });
    pre.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      spans[at]?.classList.remove("at");
      at = Math.min(spans.length - 1, Math.max(0, at + step));
      while (spans[at + step] && !spans[at].textContent) at += step;
      spans[at].classList.add("at");
      spans[at].scrollIntoView({ block: "nearest" });
      tell(at);
      say(told.textContent);
    });
  }

  Object.assign(window.adjudge, { textPane, marked, statistics });
})();

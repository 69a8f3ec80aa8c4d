/* Tournaments: why the first candidate won, the ladder with intervals, the bracket, and the votes and texts of every match. */
"use strict";

(() => {
  const { h, chip, facts, many, whole, number, brief, listed, ordinal, percent, route, get } = window.adjudge;
  const { marked, term, ladder, candidate } = window.adjudge;

  function view(run) {
    return {
      key: `tournaments ${run.run}`,
      run: run.run,
      name: "tournaments",
      path: ["runs", run.run, "tournaments"],
      source: { path: ["runs", run.run, "tournaments"] },
      filters: [
        { name: "text", label: "Search", hint: "prompt, answers", wide: true },
        {
          name: "right",
          label: "Winner",
          options: [
            ["yes", "right"],
            ["no", "wrong"],
            ["none", "not known"],
          ],
        },
        {
          name: "sort",
          label: "Order",
          any: "as written",
          options: [
            ["-undecided", "most undecided"],
            ["-votes", "most votes"],
            ["-tokens", "most tokens"],
          ],
        },
      ],
      id: (row) => row.id,
      row,
      none: "No tournament was played yet.",
      absent: "Choose a tournament, or press j, to see why its winner won.",
      detail: async (id, params) => detail(run.run, await get(["runs", run.run, "tournaments", id]), params),
    };
  }

  function row(one) {
    const kind = one.right === true ? "right" : one.right === false ? "wrong" : "";
    return [
      h(
        "span",
        { class: "line" },
        one.right === null ? null : chip(kind, kind),
        one.stopped ? chip(`stopped: ${one.stopped}`, "undecided") : null,
        one.undecided ? chip(`${one.undecided} undecided`, "undecided") : null,
        h("span", { class: "number" }, `${many(one.answers, "answer")}, ${many(one.matches, "match", "matches")}`),
      ),
      h("span", { class: "what" }, brief(one.prompt, 90)),
      h("span", { class: "note" }, one.best === null ? "nobody won" : `${came(one)}: ${brief(one.best_text, 70)}`),
    ];
  }

  /** How the first one came there; a first place that others share was given by lot. */
  const came = (one) =>
    one.shared
      ? `first place shared by ${many(one.shared + 1, "candidate")}; by lot ${name(one.best)} stands above`
      : `won by ${name(one.best)}`;

  const DRAWN = { knockout: "a coin, drawn from the seed, let it go on", other: "it went on by the scheme's rule for draws" };
  const name = (index) => candidate(index);
  const Name = (index) => candidate(index, "Candidate");
  const played = (one) =>
    one.rounds.flatMap((round) =>
      round.matches.map((match, place) => ({ ...match, round: round.round, key: `${round.round + 1}.${place + 1}` })),
    );

  /** Who stands first, and by how many matches: a sentence that needs nothing else. */
  function winner(one) {
    const [best] = one.candidates;
    if (!best || best.place === null) return "Nobody was judged, so nobody won.";
    const text = best.text.length <= 40 ? ` (“${best.text}”)` : "";
    const equal = one.candidates.slice(1).filter((each) => each.place === 1);
    const came = equal.length
      ? `shares first place with ${listed(equal.map((each) => name(each.index)))} and stands above by lot`
      : "came first";
    return `${Name(best.index)}${text} ${came}: ${record(one, best)}.`;
  }

  function record(one, best) {
    const { mine, won, lost, drawn } = results(one, best);
    if (!mine.length) return "it played no match";
    const others = [lost.length ? `lost ${lost.length}` : "", drawn.length ? `drew ${drawn.length}` : ""].filter(Boolean);
    return `it won ${won.length} of its ${many(mine.length, "match", "matches")}${others.length ? ` and ${others.join(" and ")}` : ""}`;
  }

  function results(one, best) {
    const mine = played(one).filter((match) => [match.first, match.second].includes(best.index));
    const won = mine.filter((match) => match.winner === best.index);
    return {
      mine,
      won,
      lost: mine.filter((match) => match.winner !== null && match.winner !== best.index),
      drawn: mine.filter((match) => match.winner === null),
    };
  }

  /** The evidence for it: whom it beat and how clearly, how far ahead it is, and whether the label agrees. */
  function why(one) {
    const [best, next] = one.candidates;
    if (!best || best.place === null) return null;
    const { won, drawn } = results(one, best);
    const beat = won.slice(0, 6).map((match) => `${name(opponent(match, best.index))} ${tally(match, best.index)}`);
    const against = beat.length ? `It beat ${listed([...beat, ...(won.length > 6 ? [`${won.length - 6} more`] : [])])}.` : "";
    const went =
      one.bracket && drawn.length
        ? ` After a draw with ${listed(drawn.map((match) => name(opponent(match, best.index))))} ${DRAWN[one.scheme] || DRAWN.other}.`
        : "";
    const known =
      best.right === true
        ? " The label agrees: it is the right answer."
        : best.right === false
          ? ` By the label it is not the right answer${rightOne(one)}.`
          : "";
    return `${against}${went}${margin(one, best, next)}${known}`.trim();
  }

  const opponent = (match, index) => (match.first === index ? match.second : match.first);

  function rightOne(one) {
    const right = one.candidates.find((each) => each.right);
    if (!right) return "";
    const place = right.place === null ? null : ordinal(right.place);
    const came = place === null ? "came nowhere" : right.tied ? `shares ${place} place` : `came ${place}`;
    return `; that is ${name(right.index)}, which ${came}`;
  }

  /** "by 2 votes to 0", seen from one of the two. */
  function tally(match, index) {
    const mine = match.first === index ? "first" : "second";
    const count = (outcome) => match.votes.filter((vote) => vote === outcome).length;
    const other = mine === "first" ? "second" : "first";
    return match.votes.length ? `by ${many(count(mine), "vote")} to ${count(other)}` : "without a vote";
  }

  function margin(one, best, next) {
    if (!next || best.rating === null || next.rating === null) return "";
    if (one.bracket && one.rated_by === one.scheme && best.interval === null) return "";
    const follows = `and ${name(next.index)}, the next, ${number(next.rating)}${span(next)}`;
    const apart = `${scheme(one)} it has ${number(best.rating)}${span(best)}, ${follows}`;
    if (!best.interval || !next.interval) return ` ${apart}.`;
    return best.interval[0] > next.interval[1]
      ? ` ${apart}; the intervals lie apart, so this is settled.`
      : ` ${apart}; the intervals overlap, so further votes could turn the order.`;
  }

  const scheme = (one) => `By ${one.rated_by},`;
  const span = (one) => (one.interval ? ` (95% ${number(one.interval[0], 3)} to ${number(one.interval[1], 3)})` : "");

  function detail(run, one, params) {
    const right = one.candidates[0]?.right;
    return [
      h(
        "h2",
        {},
        right === true || right === false ? [chip(right ? "right" : "wrong", right ? "right" : "wrong"), " "] : null,
        winner(one),
      ),
      why(one) ? h("p", { class: "reason" }, why(one)) : null,
      one.notes?.length
        ? h(
            "ul",
            { class: "findings" },
            one.notes.map((note) => h("li", {}, note)),
          )
        : null,
      facts([
        ["scheme", one.scheme_line],
        ["rated by", one.rated_by],
        ["matches", whole(played(one).length)],
        ["stopped by", one.stopped],
        [term("label"), typeof one.label === "number" ? name(one.label) : one.label],
      ]),
      h("h3", {}, "Prompt"),
      h("p", { class: "asked", tabindex: "0", role: "group", "aria-label": "Prompt" }, one.prompt),
      h("h3", {}, "Ladder"),
      ladder(one),
      one.rounds.length ? h("h3", {}, one.bracket ? "Bracket" : "Matches") : null,
      rounds(run, one, params),
      openMatch(one, params.get("match")),
    ];
  }

  function rounds(run, one, params) {
    const texts = new Map(one.candidates.map((each) => [each.index, each.text]));
    const open = params.get("match");
    const card = (round, match, place) => {
      const key = `${round.round + 1}.${place + 1}`;
      const line = (index) =>
        h(
          "span",
          { class: match.winner === index ? "won" : "" },
          match.winner === index ? "✓ " : "",
          h("b", {}, `${index + 1}`),
          ` ${brief(texts.get(index), 26)}`,
          match.winner === index ? h("span", { class: "unseen" }, " (winner)") : null,
        );
      const words = match.dropped ? "dropped" : match.winner === null ? "draw" : tally(match, match.winner).replace("by ", "");
      return h(
        "li",
        {},
        h(
          "a",
          {
            class: `match ${match.undecided || match.dropped ? "unsure" : ""}`,
            "aria-current": open === key ? "true" : null,
            "data-match": key,
            href: route.link(
              ["runs", run, "tournaments", ...one.id.split("/")],
              route.changed(params, { match: open === key ? null : key }),
            ),
          },
          line(match.first),
          line(match.second),
          h("span", { class: "note" }, `${words}${match.undecided ? ", undecided" : ""}`),
        ),
      );
    };
    if (!one.rounds.length) return null;
    const name = one.bracket ? "Bracket" : "Matches by round";
    return h(
      "div",
      { class: one.bracket ? "wide" : "matches", tabindex: one.bracket ? "0" : null, role: "group", "aria-label": name },
      h(
        "div",
        { class: one.bracket ? "bracket" : "" },
        one.rounds.map((round) =>
          h(
            "div",
            { class: "round" },
            h("h4", {}, `Round ${round.round + 1}`),
            h(
              "ol",
              {},
              round.matches.map((match, place) => card(round, match, place)),
            ),
          ),
        ),
      ),
    );
  }

  /** Votes and texts of the match that the address names. */
  function openMatch(one, key) {
    if (!key) return one.rounds.length ? h("p", { class: "absent" }, "A match opens its votes and texts.") : null;
    const match = played(one).find((each) => each.key === key);
    if (!match) return h("p", { class: "notice" }, "There is no such match.");
    const ended = match.dropped
      ? "It was dropped, as no vote could be read."
      : match.winner === null
        ? "It ended in a draw."
        : `${Name(match.winner)} won ${tally(match, match.winner)}.`;
    const unsure = match.undecided ? " No vote could be read, so this is nobody's judgement." : "";
    const share = typeof match.probability === "number" ? ` The judge gives ${name(match.first)} ${percent(match.probability)}.` : "";
    const turned = match.inconsistent
      ? ` ${many(match.inconsistent, "vote")} changed with the order of the answers: each of them is a tie.`
      : "";
    return h(
      "section",
      { class: "match-open", "aria-label": "The open match" },
      h("h3", {}, `Round ${match.round + 1}: ${name(match.first)} against ${name(match.second)}`),
      h("p", { class: "reason" }, `${ended}${share}${turned}${unsure}`),
      facts([
        ["votes", match.votes.map((vote) => voted(match, vote)).join(", ")],
        ["tokens", whole(match.tokens ?? 0)],
      ]),
      (match.judgements || []).map((made, place) => judgement(match, made, place)),
    );
  }

  const voted = (match, vote) => (vote === "first" ? `for ${match.first + 1}` : vote === "second" ? `for ${match.second + 1}` : vote);

  function judgement(match, made, place) {
    return h(
      "details",
      { open: place === 0 },
      h(
        "summary",
        {},
        h("span", { class: "where" }, `judgement ${place + 1}`),
        h("span", {}, voted(match, made.outcome)),
        h(
          "span",
          { class: "note" },
          `shown ${made.order}${typeof made.probability === "number" ? `, ${percent(made.probability)} for the first` : ""}`,
        ),
      ),
      h(
        "div",
        { class: "pair" },
        (made.shown || []).map((text, index) =>
          h("div", { class: "answer-shown" }, h("h3", {}, `Answer shown ${index ? "second" : "first"}`), h("p", { class: "asked" }, text)),
        ),
      ),
      made.error ? h("p", { class: "notice" }, `The call failed: ${made.error}`) : marked(made),
    );
  }

  Object.assign(window.adjudge, { tournamentsView: view });
})();

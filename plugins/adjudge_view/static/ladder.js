/* The ladder of a tournament: places that equal candidates share, ratings with their intervals, and what a rating means. */
"use strict";

(() => {
  const { h, chip, table, many, number, brief, listed, term } = window.adjudge;

  const ELO = "a skill on the Elo scale: 400 points are odds of ten to one, and the mean is 1,000";
  const SCALES = {
    knockout: "the number of rounds that a candidate survived. Only the first place is settled: who left early may have met the best early",
    "single-elimination":
      "the number of rounds that a candidate survived, rounds without an opponent included, plus half its share of the points",
    "round-robin": "the share of the points that a candidate won, a draw being half a point",
    copeland: "pairs won less pairs lost, as a share of all its pairs: 1 beat everybody, −1 lost to everybody",
    vote: "the number of pairs that a candidate won or, against one reference answer, its share of the votes",
    elo: ELO,
    active: ELO,
    pivot: ELO,
    "bradley-terry": ELO,
  };

  /** "candidate 3", as people count. */
  const candidate = (index, noun = "candidate") => `${noun} ${index + 1}`;

  /** 1, 2=, 2=, 4: equal ratings share a place. */
  const place = (each) => (each.place === null ? "–" : `${each.place}${each.tied ? "=" : ""}`);

  /** How many rounds of a knockout a candidate had no opponent in: it survived as many more than it beat others. */
  function byes(one, each) {
    if (one.rated_by !== "knockout" || each.rating === null) return 0;
    const met = new Set();
    for (const { first, second } of one.rounds.flatMap((round) => round.matches)) {
      if (first === each.index) met.add(second);
      if (second === each.index) met.add(first);
    }
    return Math.max(0, each.rating - (met.size - (each.place === 1 ? 0 : 1)));
  }

  function ladder(one) {
    const numbers = one.candidates.flatMap((each) => [each.rating, ...(each.interval || [])]).filter((value) => typeof value === "number");
    const scale = [Math.min(...numbers), Math.max(...numbers)];
    const rewarded = one.candidates.some((each) => typeof each.reward === "number");
    const known = one.candidates.some((each) => each.interval);
    const free = one.candidates.some((each) => byes(one, each));
    const head = [
      "place",
      ["candidate", "words"],
      term("rating"),
      "won",
      "lost",
      free ? term("bye", "byes") : null,
      known ? term("95% interval") : null,
      "on one scale",
      rewarded ? term("reward") : null,
    ].filter((text) => text !== null);
    const rows = one.candidates.map((each) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, place(each)),
        h("td", { class: "words" }, opened(each)),
        h("td", { class: "strong" }, number(each.rating)),
        h("td", {}, each.wins),
        h("td", {}, each.losses),
        free ? h("td", {}, byes(one, each)) : null,
        known ? h("td", {}, each.interval ? `${number(each.interval[0], 3)} to ${number(each.interval[1], 3)}` : "–") : null,
        h("td", {}, whisker(each, scale)),
        rewarded ? h("td", {}, number(each.reward)) : null,
      ),
    );
    return [table(head, rows, "Ladder of the candidates"), h("p", { class: "caption" }, meaning(one))];
  }

  const opened = (each) =>
    h(
      "details",
      { class: "inline" },
      h(
        "summary",
        {},
        `${candidate(each.index, "Candidate")}: ${brief(each.text, 44)} `,
        each.right ? chip("right by the label", "right") : null,
      ),
      h("p", { class: "asked" }, each.text),
    );

  /** What a rating is here, who went on without a match, and why a place is shared. */
  function meaning(one) {
    if (!one.candidates.some((each) => each.place !== null)) return "Nobody was judged, so there are no places.";
    const rating = SCALES[one.rated_by];
    const free = one.candidates.filter((each) => byes(one, each));
    const names = listed(free.map((each, at) => candidate(each.index, at ? "candidate" : "Candidate")));
    const when = free.length === 1 ? `in ${many(byes(one, free[0]), "round")}` : "in some rounds";
    const bye = free.length ? ` ${names} went on without a match ${when}, for lack of an opponent: such a bye counts as a round.` : "";
    const tied = one.candidates.some((each) => each.tied) ? " Candidates with the same rating share a place; their order is drawn." : "";
    return `${rating ? `The rating is ${rating}.` : `The rating is on the scale of ${one.rated_by}.`}${bye}${tied}`;
  }

  /** A rating as a point on its interval, all candidates on one scale. */
  function whisker(each, [low, high]) {
    if (typeof each.rating !== "number" || high === low) return null;
    const at = (value) => (100 * (value - low)) / (high - low);
    const line = each.interval
      ? h("i", { style: { left: `${at(each.interval[0])}%`, width: `${at(each.interval[1]) - at(each.interval[0])}%` } })
      : null;
    return h("span", { class: "whisker", "aria-hidden": "true" }, line, h("b", { style: { left: `${at(each.rating)}%` } }));
  }

  Object.assign(window.adjudge, { ladder, candidate });
})();

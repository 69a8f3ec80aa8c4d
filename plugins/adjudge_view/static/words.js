/* How numbers and reasons read: the same digits as in the report, and a sentence for why a path was kept or a candidate won. */
"use strict";

(() => {
  const SYMBOLS = { rstar: "R⋆" };
  const PLACES = ["first", "second", "third"];
  /** Scores this near to each other, relative to 1 or their size, are equal: a text's score depends a little on its batch. */
  const ROUNDING = 1e-5;

  const many = (count, noun, plural) => `${whole(count)} ${count === 1 ? noun : plural || `${noun}s`}`;
  const whole = (value) => Number(value).toLocaleString("en-US").replace("-", "−");
  const percent = (share) => (share === null || share === undefined ? "–" : `${(100 * share).toFixed(1)}%`);
  const symbol = (name) => SYMBOLS[name] || (name || "score").replaceAll("_", " ");

  /** Four digits that tell something; no number is a dash. */
  function number(value, digits = 4) {
    if (value === null || value === undefined || typeof value !== "number") return value ?? "–";
    if (Number.isInteger(value)) return whole(value);
    const size = Math.abs(value);
    if (size !== 0 && (size < 0.0005 || size >= 1e6)) return value.toExponential(2).replace("-", "−");
    return String(Number(value.toPrecision(Math.max(digits, Math.ceil(Math.log10(size + 1)))))).replace("-", "−");
  }

  /** Seconds as people say them. */
  function duration(seconds) {
    const all = Math.round(seconds);
    if (all < 60) return `${all} s`;
    const two = (value) => String(value).padStart(2, "0");
    return all < 3600
      ? `${Math.floor(all / 60)} min ${two(all % 60)} s`
      : `${Math.floor(all / 3600)} h ${two(Math.floor((all % 3600) / 60))} min`;
  }

  const between = (bounds, show = percent) => `${show(bounds[0])} to ${show(bounds[1])}`;
  const brief = (text, width = 60) => {
    const line = String(text ?? "")
      .replace(/\s+/g, " ")
      .trim();
    return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
  };
  const listed = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);

  const rightness = (right) => (right === true ? "right" : right === false ? "wrong" : null);
  /** Which of its looks a judgement has: right, wrong, undecided (no verdict) or unlabelled. */
  const kindOf = (row) => (["first", "second", "tie"].includes(row.outcome) ? rightness(row.right) || "unlabelled" : "undecided");

  function ordinal(place) {
    if (place <= 3) return PLACES[place - 1];
    const ending = place % 100 >= 11 && place % 100 <= 13 ? "th" : ["th", "st", "nd", "rd"][place % 10] || "th";
    return `${place}${ending}`;
  }

  /** Why this judgement was kept or dropped beside its siblings, as a sentence or two; nothing where no path was chosen. */
  function whyKept(one) {
    const family = one.siblings || [];
    const scored = family.filter((other) => typeof other.score === "number");
    const kept = family.filter((other) => other.kept);
    if (one.kept === null || one.kept === undefined) return notScored(one, scored, kept);
    const name = symbol(one.score_name);
    const rounding = ROUNDING * Math.max(1, Math.abs(one.score));
    const above = scored.filter((other) => other.score - one.score > rounding).length;
    const same = scored.filter((other) => Math.abs(other.score - one.score) <= rounding).length - 1;
    const highest = above === 0 ? "the highest" : `the ${ordinal(above + 1)} highest`;
    const place =
      scored.length === 1 ? "and no other path of this problem was scored" : `${highest} of the ${scored.length} that were scored`;
    const shared = same > 0 ? `, shared with ${many(same, "other")}` : "";
    return (
      `This path was ${one.kept ? "kept" : "dropped"}: its ${name} is ${number(one.score)}, ${place}${shared}; ` +
      `of ${many(family.length, "path")} of this problem, ${keeps(kept.length)}.` +
      (one.kept ? beaten(family, scored) : better(one, kept, name))
    );
  }

  const keeps = (count) => (count === 0 ? "none is kept" : `${count} ${count === 1 ? "is" : "are"} kept`);

  function better(one, kept, name) {
    const best = kept.reduce((found, other) => (found && found.score >= other.score ? found : other), null);
    if (!best) return "";
    if (Math.abs(best.score - one.score) <= ROUNDING * Math.max(1, Math.abs(one.score)))
      return best.id < one.id
        ? ` The kept path scores the same, ${number(best.score)}: of equals the one with the lower id is kept, which is as good as a lot.`
        : ` The kept path scores the same, ${number(best.score)}, but for rounding errors, which decided.`;
    return ` The kept path has ${name} ${number(best.score)}.`;
  }

  function beaten(family, scored) {
    const out = family.length - scored.length;
    if (!out) return "";
    const wrong = family.filter((other) => typeof other.score !== "number" && other.right === false).length;
    const why =
      wrong === out
        ? ` because ${out === 1 ? "it names" : "they name"} the wrong answer`
        : wrong
          ? `, ${wrong} of them because they name the wrong answer`
          : "";
    return ` ${many(out, "other")} ${out === 1 ? "was" : "were"} not scored${why}.`;
  }

  function notScored(one, scored, kept) {
    if (!one.why) return null;
    const reason = one.why.replace(/^not scored: /, "");
    const rest = scored.length
      ? `; ${many(scored.length, "other")} of this problem ${scored.length === 1 ? "was" : "were"} scored and ${keeps(kept.length)}`
      : "";
    return `This path was not scored, so it could not be kept: ${reason}${rest}.`;
  }

  Object.assign(window.adjudge, {
    many,
    whole,
    percent,
    symbol,
    number,
    duration,
    between,
    brief,
    listed,
    rightness,
    kindOf,
    ordinal,
    whyKept,
  });
})();

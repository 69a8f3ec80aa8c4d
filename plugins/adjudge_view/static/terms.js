/* Words that a newcomer may not know: a button on the word tells what it means, and the help (?) has all of them. */
"use strict";

(() => {
  const { h, put } = window.adjudge;

  const TERMS = {
    "R⋆":
      "The score of a reasoning path: the mean probability of its reasoning tokens times the mean probability of its answer tokens, " +
      "between 0 and 1. It compares paths of one problem by one model, and is not the probability of being right.",
    "self consistency": "The mean probability of the tokens of the reasoning, given all before them: the first factor of R⋆.",
    validity: "The mean probability of the tokens that state the verdict, given all before them: the second factor of R⋆.",
    kept: "Of the paths of one problem that may be chosen, those with the best score are kept, and a model is trained on them.",
    outcome:
      "What a judgement says of a pair: first, second or tie. It may also be unreadable (no verdict can be found in the text), truncated " +
      "(the text was cut off) or failed (the call did not come back); these three are never a verdict.",
    order: "Which answer the judge was shown first: given, as the problem has them, or swapped. Outcomes are in the problem's own order.",
    label: "The answer that the data set calls right. Without one, a verdict is neither right nor wrong.",
    "95% interval":
      "Where the true value lies, as far as so few judgements can tell: of such intervals, 95 in 100 hold it. Where two of them " +
      "overlap, further judgements could turn the order.",
    rating: "How strong a candidate is by its matches, on the scale of the scheme; only ratings of one tournament can be compared.",
    circle:
      "Three candidates of which the first beats the second, the second the third, and the third the first. No order agrees with all " +
      "three matches; a judge that draws lots has a quarter of all triples in circles.",
    bye: "A round without a match: the number of candidates is odd, so one goes on without playing.",
    reward: "The number that a completion is given in training, by the reward's rules. Undecided completions have none, which is not 0.",
    spread:
      "The standard deviation of the rewards within a group. Where it is 0, all completions got the same and the group teaches nothing.",
    advantage:
      "A completion's reward less the mean reward of its group. Training makes completions above 0 likelier and those below 0 less likely.",
    entropy: "How undecided the model is about its next token, in nats: 0 where it is certain.",
    "KL to the reference": "How far the trained model has moved from the one it began as, in nats for each token; 0 is not at all.",
  };
  let dialog = null;

  /** A word, or other text for it, that opens its meaning; plain text where there is none. */
  function term(word, text = word) {
    if (!TERMS[word]) return text;
    return h("button", { type: "button", class: "term", title: "What is this?", onclick: () => explain(word) }, text);
  }

  function explain(word) {
    dialog ||= document.body.appendChild(h("dialog", { "aria-labelledby": "term-title", class: "meaning" }));
    put(
      dialog,
      h("h2", { id: "term-title" }, word),
      h("p", {}, TERMS[word]),
      h("p", { class: "caption" }, "All words and keys: ", h("kbd", {}, "?")),
      h("button", { type: "button", onclick: () => dialog.close() }, "Close"),
    );
    dialog.showModal();
  }

  /** All words, for the help. */
  const words = () =>
    h(
      "dl",
      { class: "facts" },
      Object.entries(TERMS).map(([word, meaning]) => h("div", {}, h("dt", {}, word), h("dd", {}, meaning))),
    );

  Object.assign(window.adjudge, { term, allTerms: words });
})();

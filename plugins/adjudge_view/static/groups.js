/* The groups of an RL reward: completions that were rewarded together, and what each of them got. */
"use strict";

(() => {
  const { h, chip, table, facts, many, whole, number, brief, rightness, term, route, get } = window.adjudge;

  function view(run) {
    const stages = [...new Set(run.sets.filter((one) => one.kind === "rollouts").map((one) => one.stage))];
    return {
      key: `groups ${run.run} ${stages}`,
      run: run.run,
      name: "groups",
      path: ["runs", run.run, "groups"],
      source: { path: ["runs", run.run, "groups"] },
      filters: [
        { name: "text", label: "Search", hint: "prompt, completions", wide: true },
        stages.length > 1 && { name: "stage", label: "Stage", options: stages.map((name) => [name, name]) },
        { name: "step", label: "Step", number: true },
        {
          name: "sort",
          label: "Order",
          any: "as written",
          options: [
            ["-spread", "widest spread"],
            ["spread", "narrowest spread"],
            ["-reward", "highest mean"],
            ["reward", "lowest mean"],
            ["newest", "newest"],
          ],
        },
      ],
      id: (row) => row.id,
      row,
      none: "No group was rewarded yet.",
      absent: "Choose a group, or press j, to see what each completion got.",
      detail: async (id) => detail(run.run, await get(["runs", run.run, "groups", id])),
    };
  }

  function row(one) {
    return [
      h(
        "span",
        { class: "line" },
        one.skipped ? chip("teaches nothing", "undecided") : chip(`spread ${number(one.spread, 2)}`, "kept"),
        one.undecided ? chip(`${one.undecided} undecided`, "undecided") : null,
        h("span", { class: "where" }, [one.stage, one.step === null ? null : `step ${one.step}`].filter(Boolean).join(" · ")),
        h("span", { class: "number" }, `mean ${number(one.reward, 3)}`),
      ),
      h("span", { class: "what" }, brief(one.prompt, 90)),
      h(
        "span",
        { class: "note" },
        `${many(one.size, "completion")}, rewards ${number(one.low, 3)} to ${number(one.high, 3)}`,
        one.right === null ? "" : `, ${one.right} right`,
      ),
    ];
  }

  /** What the group says to the trainer, as a sentence. */
  function sentence(group, known) {
    const low = Math.min(...known);
    const high = Math.max(...known);
    const undecided = group.members.length - known.length;
    const rest = undecided
      ? ` Nobody could decide about ${many(undecided, "completion")}, so there is no reward for ${undecided === 1 ? "it" : "them"}.`
      : "";
    if (!known.length) return `None of ${many(group.members.length, "completion")} could be rewarded.`;
    if (low === high)
      return `All ${known.length} rewards are ${number(low)}: nothing tells these completions apart, so the group teaches nothing.${rest}`;
    const best = known.filter((reward) => reward === high).length;
    const got = `${best} got the highest reward, ${number(high)}, the lowest is ${number(low)}`;
    return `${many(group.members.length, "completion")} of one prompt: ${got}; what is above the mean is made likelier.${rest}`;
  }

  function detail(run, group) {
    const rewards = group.members.map((member) => member.reward).filter((reward) => typeof reward === "number");
    const members = [...group.members].sort((a, b) => (b.reward ?? -Infinity) - (a.reward ?? -Infinity));
    return [
      h("h2", {}, sentence(group, rewards)),
      facts([
        ["stage", group.stage],
        ["step", group.step],
        [term("label"), group.label],
        [term("spread"), typeof group.spread === "number" ? number(group.spread, 3) : null],
        ["order", { given: "as below", swapped: "the second answer was shown first" }[group.members[0]?.order]],
      ]),
      h("h3", {}, "Prompt"),
      h("p", { class: "asked", tabindex: "0", role: "group", "aria-label": "Prompt" }, group.prompt),
      group.answers?.length
        ? h(
            "div",
            { class: "pair" },
            group.answers.map((answer, place) =>
              h("div", { class: "answer-shown" }, h("h3", {}, `${place ? "Second" : "First"} answer`), h("p", { class: "asked" }, answer)),
            ),
          )
        : null,
      h("h3", {}, "What each got"),
      rewardTable(run, members, rewards),
      h("h3", {}, "What each wrote"),
      members.map((member, place) => completion(run, member, place)),
    ];
  }

  function rewardTable(run, members, rewards) {
    const parts = [...new Set(members.flatMap((member) => Object.keys(member.parts || {})))];
    const has = (name) => members.some((member) => typeof member[name] === "number");
    const shown = ["absolute", "advantage"].filter(has);
    const judged = members.some((member) => member.outcome);
    const head = [
      "completion",
      term("reward"),
      judged ? "right or wrong" : null,
      ...shown.map((name) => term(name)),
      judged ? "prefers" : null,
      ...parts.map((name) => `rule ${name.replaceAll("_", " ")}`),
      "tokens",
      "from lowest to highest",
    ];
    const rows = members.map((member, place) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, member.id ? h("a", { href: judgementLink(run, member) }, place + 1) : place + 1),
        h("td", { class: "strong" }, typeof member.reward === "number" ? number(member.reward) : "undecided"),
        judged ? h("td", {}, rightness(member.right) ? chip(rightness(member.right), rightness(member.right)) : "–") : null,
        shown.map((name) => h("td", {}, number(member[name]))),
        judged ? h("td", {}, member.outcome) : null,
        parts.map((name) => h("td", {}, number(member.parts?.[name]))),
        h("td", {}, whole(member.tokens ?? 0)),
        h("td", {}, bar(member.reward, rewards)),
      ),
    );
    return table(
      head.filter((name) => name !== null),
      rows,
      "Rewards of the group",
    );
  }

  const judgementLink = (run, member) => route.link(["runs", run, "judgements", ...member.id.split("/")]);

  /** A reward's place between the lowest and the highest of its group. */
  function bar(reward, rewards) {
    const low = Math.min(...rewards, 0);
    const high = Math.max(...rewards, 0);
    if (typeof reward !== "number" || high === low) return null;
    const place = (value) => `${(100 * (value - low)) / (high - low)}%`;
    const from = Math.min(0, reward);
    const width = `${(100 * Math.abs(reward)) / (high - low)}%`;
    return h(
      "span",
      { class: "bar", "aria-hidden": "true" },
      h("i", { class: reward < 0 ? "below" : "", style: { left: place(from), width } }),
      h("b", { style: { left: place(0) } }),
    );
  }

  function completion(run, member, place) {
    return h(
      "details",
      {},
      h(
        "summary",
        {},
        h("span", { class: "where" }, `completion ${place + 1}`),
        h("span", {}, typeof member.reward === "number" ? `reward ${number(member.reward)}` : "undecided"),
        h("span", { class: "note" }, brief(member.reason || member.text, 60)),
      ),
      member.reason ? h("p", { class: "caption" }, member.reason) : null,
      h("pre", { tabindex: "0", role: "group", "aria-label": `Completion ${place + 1}` }, member.text),
    );
  }

  Object.assign(window.adjudge, { groupsView: view });
})();

/* Plots over steps: several runs on one axis, the values under the pointer or the arrow keys in words. */
"use strict";

(() => {
  const { h, fold, number, listed, say, term } = window.adjudge;

  const ORDER = ["reward", "verdicts", "loss", "entropy", "kl", "grad_norm", "skipped_groups", "tokens", "learning_rate", "time"];
  const TITLES = { reward: "reward", verdicts: "verdicts", time: "time" };
  const SHARED = ["reward", "verdicts", "time"];
  const WORDS = { entropy: "entropy", kl: "KL to the reference" };
  const COLOURS = 6;
  const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
  const HEIGHT = 190;
  const drawn = new Set();

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach((plot) => plot.redraw()));

  /** All curves of some runs, a stage at a time: [{run, stages}] to elements. */
  function curvesOf(answers) {
    drawn.forEach((plot) => plot.root.isConnected || forget(plot));
    const stages = [...new Set(answers.flatMap((one) => one.stages.map((stage) => stage.stage)))];
    return stages.map((stage) => stageCurves(stage, lines(answers, stage)));
  }

  /** Every curve of one stage with the name of its run, where there are several runs. */
  function lines(answers, stage) {
    const many = answers.length > 1;
    return answers.flatMap(({ run, stages }, place) =>
      (stages.find((one) => one.stage === stage)?.curves || []).map((curve) => ({ ...curve, run: many ? run : null, place })),
    );
  }

  function stageCurves(stage, all) {
    const groups = new Map();
    for (const curve of all) {
      const key = SHARED.includes(curve.group) && !curve.run ? curve.group : `${curve.group} ${curve.name}`;
      groups.set(key, [...(groups.get(key) || []), curve]);
    }
    const moving = [...groups].filter(([, curves]) => curves.some((curve) => !curve.constant));
    const place = (key) => ORDER.indexOf(key.split(" ")[0]);
    const known = moving.filter(([key]) => !key.startsWith("other ")).sort(([a], [b]) => place(a) - place(b));
    const other = moving.filter(([key]) => key.startsWith("other "));
    return fold(
      `curves of ${stage}`,
      [h("h3", {}, stage), h("span", { class: "note" }, gist(all))],
      known.length
        ? h(
            "div",
            { class: "plots" },
            known.map(([key, curves]) => figure(key, curves, stage)),
          )
        : null,
      constants(all.filter((curve) => curve.constant)),
      other.length ? rest(other, stage) : null,
    );
  }

  /** What a folded stage says of itself: how its reward, else its loss, went. */
  function gist(all) {
    const curve = ["reward", "loss"].map((name) => all.find((one) => one.name === name && !one.constant)).find(Boolean);
    return curve ? `${curve.title}: ${lastWords([curve], true)}` : "";
  }

  /** Quantities that never change say nothing as a line: they are named with their value. */
  function constants(curves) {
    if (!curves.length) return null;
    const words = curves.map(
      (curve) => `${curve.run ? `${curve.run}: ` : ""}${curve.title} ${number(curve.y.find((value) => value !== null) ?? null)}`,
    );
    return h("p", { class: "caption" }, `The same at every step, so not plotted: ${listed(words)}.`);
  }

  /** What else a trainer logged, drawn once somebody asks for it. */
  function rest(groups, stage) {
    const plots = h("div", { class: "plots" });
    const draw = () => plots.childElementCount || plots.append(...groups.map(([key, curves]) => figure(key, curves, stage)));
    return h(
      "details",
      { ontoggle: draw },
      h("summary", {}, h("span", { class: "where" }, `${groups.length} more that the trainer logged`)),
      plots,
    );
  }

  const nameOf = (curve, alone) => [curve.run, alone && curve.run ? null : curve.title].filter(Boolean).join(" · ");

  const look = (place) => ({ colour: place % COLOURS, dash: place % DASHES.length });

  function figure(key, curves, stage) {
    const moving = curves.filter((curve) => !curve.constant);
    const titles = new Set(moving.map((curve) => curve.title));
    const alone = titles.size === 1;
    const title = alone ? moving[0].title : TITLES[key] || key;
    const looks = moving.map((curve, place) => look(curve.run ? curve.place : place));
    const told = h("p", { class: "caption told" }, lastWords(moving, alone));
    const box = h("div", {
      class: "plot",
      tabindex: "0",
      role: "img",
      "aria-label": `${title} over the ${moving[0].x_name}s of ${stage}. ${lastWords(moving, alone)} Arrow keys tell every value.`,
    });
    const legend =
      moving.length > 1
        ? h(
            "p",
            { class: "legend" },
            moving.map((curve, place) => h("span", {}, swatch(looks[place]), nameOf(curve, alone))),
          )
        : null;
    drawWhenSeen(box, () => plot(box, moving, looks, told, alone));
    return h("figure", {}, h("h4", {}, alone ? term(WORDS[moving[0].group], title) : title), legend, box, told);
  }

  function swatch({ colour, dash }) {
    return h("i", {
      class: "stroke",
      "aria-hidden": "true",
      style: { "border-top-color": `var(--s${colour})`, "border-top-style": ["solid", "dashed", "dotted", "double"][dash] },
    });
  }

  function lastWords(curves, alone) {
    return `${curves
      .map((curve) => {
        const known = curve.y.map((value, place) => [curve.x[place], value]).filter(([, value]) => value !== null);
        const [from, to] = [known[0], known.at(-1)];
        return from
          ? (alone && !curve.run ? "" : `${nameOf(curve, alone)}: `) +
              `${number(from[1], 3)} at ${curve.x_name} ${from[0]}, ${number(to[1], 3)} at ${to[0]}`
          : `${nameOf(curve, alone)}: no value`;
      })
      .join("; ")}.`;
  }

  /** Draw once the place has a width: a plot in a closed part of the page has none. */
  function drawWhenSeen(box, draw) {
    let made = null;
    new ResizeObserver(() => {
      if (!box.clientWidth) return;
      if (!made) made = draw();
      else made.setSize({ width: box.clientWidth, height: HEIGHT });
    }).observe(box);
  }

  function forget(plot) {
    drawn.delete(plot);
    plot.destroy();
  }

  function plot(box, curves, looks, told, alone) {
    const data = window.uPlot.join(curves.map((curve) => [curve.x, curve.y, ...(curve.low ? [curve.low, curve.high] : [])]));
    const series = [{}];
    const bands = [];
    const shown = [];
    curves.forEach((curve, place) => {
      const { colour, dash } = looks[place];
      shown.push(series.length);
      series.push({
        stroke: () => css(`--s${colour}`),
        width: 1.6,
        dash: DASHES[dash],
        spanGaps: true,
        points: { show: curve.x.length < 40, size: 5, fill: () => css(`--s${colour}`) },
      });
      if (!curve.low) return;
      const hidden = { stroke: "transparent", width: 0, points: { show: false } };
      bands.push({ series: [series.length + 1, series.length], fill: () => `${css(`--s${colour}`)}33` });
      series.push(hidden, hidden);
    });
    const axis = {
      stroke: () => css("--muted"),
      grid: { stroke: () => css("--line"), width: 0.7 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
      size: 26,
      gap: 4,
    };
    const values = (_, ticks) => apart(ticks, 3);
    const made = new window.uPlot(
      {
        width: box.clientWidth,
        height: HEIGHT,
        series,
        bands,
        legend: { show: false },
        scales: { x: { time: false } },
        axes: [
          { ...axis, grid: { show: false }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 1e5, 1e6] },
          { ...axis, size: 52, values },
        ],
        cursor: { y: false, points: { size: 8 }, drag: { x: true, y: false } },
        hooks: { setCursor: [(self) => tell(self, curves, shown, told, alone)] },
      },
      data,
      box,
    );
    const note = h("p", { class: "axis" }, curves[0].x_name);
    box.append(note);
    byKeys(box, made, told);
    drawn.add(made);
    return made;
  }

  /** Labels of an axis, with as many digits as tell them apart. */
  function apart(ticks, digits) {
    const labels = ticks.map((value) => number(value, digits));
    return digits < 6 && new Set(labels).size < labels.length ? apart(ticks, digits + 1) : labels;
  }

  function tell(self, curves, shown, told, alone) {
    const at = self.cursor.idx;
    if (at === null || at === undefined) {
      told.textContent = lastWords(curves, alone);
      return;
    }
    const words = curves
      .map((curve, place) => [nameOf(curve, alone), self.data[shown[place]][at]])
      .filter(([, value]) => value !== null && value !== undefined);
    const one = words.length === 1 && alone && !curves[0].run;
    const values = words.map(([name, value]) => (one ? number(value) : `${name} ${number(value)}`)).join(", ");
    told.textContent = `${curves[0].x_name} ${number(self.data[0][at])}: ${values || "no value"}`;
  }

  function byKeys(box, made, told) {
    let at = -1;
    box.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
      if (!step) return;
      event.preventDefault();
      at = Math.min(made.data[0].length - 1, Math.max(0, at + step));
      made.setCursor({ left: made.valToPos(made.data[0][at], "x"), top: HEIGHT / 2 });
      say(told.textContent);
    });
  }

  Object.assign(window.adjudge, { curvesOf });
})();

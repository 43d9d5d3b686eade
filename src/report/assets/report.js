"use strict";
// Draws the page from the document in #data. No text of it is ever taken for HTML.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const page = document.getElementById("page");
  const palette = ["#2563eb", "#e8590c", "#2f9e44", "#9c36b5", "#c2255c", "#1098ad", "#b08900", "#5c677d", "#74b816", "#7048e8"];
  const color = (i) => palette[i % palette.length];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }
  const section = (title, ...children) => page.append(make("h2", {}, title), ...children);

  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
  const percent = (value, digits = 1) => (isNumber(value) ? (100 * value).toFixed(digits) + "\u00a0%" : "–");
  const count = (value) => (isNumber(value) ? Math.round(value).toLocaleString("en") : "–");
  const giga = (value) => (isNumber(value) ? (value / 1e9).toFixed(3) + " G" : "–");
  const duration = (s) => (!isNumber(s) ? "–" : s < 10 ? s.toFixed(1) + " s" : s < 120 ? s.toFixed(0) + " s" : s < 7200 ? (s / 60).toFixed(1) + " min" : (s / 3600).toFixed(1) + " h");
  // Names that begin alike are told apart by their ends.
  const shortened = (text, length) => (text.length <= length ? text : text.slice(0, Math.ceil(length * 0.55) - 1) + "…" + text.slice(text.length - Math.floor(length * 0.45)));
  const plain = (value, digits = 3) => (isNumber(value) ? value.toFixed(digits) : "–");

  // ---- charts

  // The reader's scheme may change while the page is open, and paper is white.
  const drawn = [];
  let printing = false;
  const onPaper = { "--ink": "#1c2330", "--soft": "#5b6577", "--line": "#d9dee7" };
  const ink = (name) => (printing ? onPaper[name] : css(name));
  function paint(options) {
    for (const scale of [options.scales.x, options.scales.y]) {
      scale.grid.color = ink("--line");
      scale.ticks.color = scale.title.color = ink("--soft");
    }
    options.plugins.legend.labels.color = ink("--ink");
  }
  const redraw = () => drawn.forEach((one) => { paint(one.options); one.resize(); one.update("none"); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => { printing = true; redraw(); });
  addEventListener("afterprint", () => { printing = false; redraw(); });

  // Whiskers of one standard deviation on bars, which Chart.js has not got.
  const whiskers = {
    id: "whiskers",
    afterDatasetsDraw(chart) {
      const context = chart.ctx;
      chart.data.datasets.forEach((set, index) => {
        if (!set.deviations || !chart.isDatasetVisible(index)) return;
        chart.getDatasetMeta(index).data.forEach((bar, i) => {
          const sd = set.deviations[i];
          if (!isNumber(sd) || !isNumber(set.data[i])) return;
          const flat = chart.options.indexAxis === "y";
          const scale = flat ? chart.scales.x : chart.scales.y;
          const [low, high] = [scale.getPixelForValue(set.data[i] - sd), scale.getPixelForValue(set.data[i] + sd)];
          const across = flat ? bar.y : bar.x;
          const move = (value, side) => (flat ? context.moveTo(value, side) : context.moveTo(side, value));
          const line = (value, side) => (flat ? context.lineTo(value, side) : context.lineTo(side, value));
          context.save();
          context.strokeStyle = ink("--ink");
          context.beginPath();
          for (const value of [low, high]) { move(value, across - 6); line(value, across + 6); }
          move(low, across);
          line(high, across);
          context.stroke();
          context.restore();
        });
      });
    },
  };

  // Without the settings at the end of a name that all names share; the tables have them. A key may have underscores itself.
  function distinct(names) {
    const parts = names.map((name) => name.split("_"));
    const fromEnd = (list, n) => list[list.length - 1 - n];
    let cut = 0;
    while (parts.length > 1 && parts.every((list) => list.length > cut + 1 && fromEnd(list, cut) === fromEnd(parts[0], cut))) cut++;
    const whole = (list) => list.length === cut + 1 || fromEnd(list, cut).includes("=");
    while (cut > 0 && !parts.every(whole)) cut--;
    return parts.map((list) => list.slice(0, list.length - cut).join("_"));
  }

  // Runs of one group share a colour, one entry of the legend, and what a click on that does.
  const groupOf = (set) => set.group ?? set.label;
  const legendOf = (sets) => ({ filter: (item) => sets.findIndex((set) => groupOf(set) === groupOf(sets[item.datasetIndex])) === item.datasetIndex,
    generateLabels: (chart) => Chart.defaults.plugins.legend.labels.generateLabels(chart).map((item) => ({ ...item, text: shortened(groupOf(chart.data.datasets[item.datasetIndex]), 48) })) });
  function toggle(event, item, legend) {
    const sets = legend.chart.data.datasets;
    const visible = legend.chart.isDatasetVisible(item.datasetIndex);
    sets.forEach((set, i) => { if (groupOf(set) === groupOf(sets[item.datasetIndex])) legend.chart.setDatasetVisibility(i, !visible); });
    legend.chart.update();
  }

  function chart(title, config) {
    const holder = make("div", { class: "chart" });
    const card = make("div", { class: "card" }, make("h3", {}, title), holder);
    if (typeof Chart === "undefined") {
      holder.append(make("p", { class: "soft" }, "Built without Chart.js: the figures are in the tables."));
      return card;
    }
    const canvas = make("canvas", { role: "img", "aria-label": title });
    holder.append(canvas);
    const sets = config.data.datasets;
    const percents = config.unit === "percent";
    const axis = (text) => ({ title: { display: text !== "", text }, grid: {}, ticks: {} });
    const value = { ...axis(config.value), ...(config.scale || {}) };
    if (percents && value.suggestedMax > 1) value.suggestedMax = value.max = 1;
    if (percents) value.ticks.callback = (number) => Math.round(100 * number) + "%";
    const other = axis(config.type === "line" ? "epoch" : "");
    const names = config.data.labels || [];
    const lying = config.type === "bar" && (names.length > 8 || names.some((name) => name.length > 24));
    if (config.type === "line") { other.type = "linear"; other.ticks.precision = 0; }
    else {
      other.ticks.autoSkip = false;
      other.ticks.callback = (place) => shortened(names[place], 24);  // in full in the tables
    }
    const entries = [...new Set(sets.map(groupOf))];
    const rows = Math.ceil(entries.length / (entries.some((name) => name.length > 30) ? 1 : 2));
    if (lying) holder.style.height = Math.max(260, names.length * 22 + 60) + "px";
    else if (entries.length > 4) holder.style.height = Math.max(230 + 22 * rows, 20 + 44 * rows) + "px";  // Chart.js gives a legend half of it at most
    const text = (number) => (percents ? percent(number) : plain(number, Math.abs(number) < 0.1 ? 5 : 3));
    const tip = (item) => {
      const [number, sd] = [config.type === "line" ? item.parsed.y : item.raw, item.dataset.deviations && item.dataset.deviations[item.dataIndex]];
      return item.dataset.label + ": " + text(number) + (isNumber(sd) ? " ± " + text(sd) : "");
    };
    const options = {
      animation: false, responsive: true, maintainAspectRatio: false, parsing: config.type !== "line", indexAxis: lying ? "y" : "x",
      interaction: { mode: config.type === "line" ? "nearest" : "index", intersect: false, axis: lying ? "y" : "x" },
      plugins: { tooltip: { callbacks: { label: tip } }, legend: { display: sets.length > 1, labels: { boxWidth: 12, ...legendOf(sets) }, onClick: toggle } },
      scales: lying ? { x: value, y: other } : { x: other, y: value },
    };
    paint(options);
    drawn.push(new Chart(canvas, { type: config.type, data: config.data, plugins: [whiskers], options }));
    return card;
  }

  const dashes = [[], [6, 4], [2, 3]];
  const curve = (label, rows, key, i) => {
    const points = rows.filter((row) => isNumber(row[key])).map((row) => ({ x: row.epoch, y: row[key] }));
    return { label, data: points, borderColor: color(i), backgroundColor: color(i), borderWidth: 1.6, pointRadius: points.length < 10 ? 2.5 : 0,
      borderDash: dashes[Math.floor(i / palette.length) % dashes.length] };
  };
  // The mean of a group over the epochs that all counted runs have, in front of the runs themselves, which are faint.
  function groupCourses(runs, group, key, i) {
    const own = (run) => ({ ...curve(run.name, run.metrics, key, i), group });
    const done = runs.filter((run) => run.state === "done");
    const counted = done.length ? done : runs;
    if (runs.length === 1) return runs.map(own);
    const values = new Map();
    for (const row of counted.flatMap((run) => run.metrics)) if (isNumber(row[key])) values.set(row.epoch, [...(values.get(row.epoch) ?? []), row[key]]);
    const shared = [...values].filter(([, list]) => list.length === counted.length);
    const rows = shared.map(([epoch, list]) => ({ epoch, [key]: list.reduce((sum, value) => sum + value) / list.length }));
    const mean = { ...curve(group + ", mean of " + counted.length, rows, key, i), group, borderWidth: 2.4 };
    return [mean, ...runs.map((run) => ({ ...own(run), order: 1, borderColor: color(i) + "55", borderWidth: 1, pointRadius: 0 }))];
  }
  const lines = (title, value, datasets, scale, unit) => chart(title, { type: "line", value, data: { datasets }, scale, unit });
  const top = (values, deviations) => Math.max(0, ...values.map((value, i) => (value ?? 0) + ((deviations && deviations[i]) ?? 0))) * 1.03;
  const bars = (title, value, labels, values, deviations, scale, unit) => chart(title, {
    type: "bar", value, unit, scale: { suggestedMax: top(values, deviations), ...scale },
    data: { labels, datasets: [{ label: value, data: values, deviations, backgroundColor: labels.map((_, i) => color(i)) }] },
  });

  // ---- tables

  // columns: [title, value(row) to sort by, text(row) to show]
  function table(columns, rows) {
    const body = make("tbody");
    const fill = (list) => body.replaceChildren(...list.map((row) => make("tr", {}, ...columns.map(([, , text]) => make("td", {}, text(row))))));
    let sorted = -1, down = false;
    const heads = columns.map(([title, value], i) => {
      const button = make("button", { type: "button" }, title.replace("top-1", "top\u20111"));
      const head = make("th", { scope: "col" }, button);
      button.addEventListener("click", () => {
        down = sorted === i ? !down : rows.some((row) => typeof value(row) === "number");
        sorted = i;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const order = (a, b) => {
          const [x, y] = [value(a), value(b)];
          const known = (v) => v !== null && v !== undefined && v === v;
          if (!known(x) || !known(y)) return known(y) - known(x);
          return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
        };
        fill([...rows].sort(order));
      });
      return head;
    });
    fill(rows);
    return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), body));
  }
  const spread = (value, text, n) => (value.mean === null ? "–" : text(value.mean) + (value.sd === null ? "" : " ± " + text(value.sd)) + (n !== undefined && value.n !== n ? ` (of ${value.n})` : ""));

  // ---- one run

  function showRun(run, details) {
    page.append(make("h1", {}, run.name), make("p", { class: "soft" }, details.config.description || ""));
    const tiles = make("div", { class: "tiles" });
    const tile = (label, value) => tiles.append(make("div", { class: "tile" }, make("b", {}, value), label));
    const flattered = run.choose_on === "test";
    const held = flattered ? "test" : "validation";
    tile("best " + held + " top-1" + (run.best_epoch ? ", epoch " + run.best_epoch : "") + (flattered ? ", chosen on these very images" : ""), percent(run.best_top1));
    tile("final " + held + " top-1", percent(run.final_top1));
    if (isNumber(run.test_top1)) {
      tile("test top-1, read once (95 %: " + percent(run.test_interval[0]) + " to " + percent(run.test_interval[1]) + ")", percent(run.test_top1));
    }
    tile("epochs, " + run.state, count(run.epochs));
    tile("time in epochs", duration(run.seconds));
    tile("images a second, mean of the epochs", count(run.images_per_second));
    if (isNumber(run.parameters)) tile("parameters", count(run.parameters));
    page.append(tiles);
    const rows = run.metrics;
    section("Course", make("div", { class: "grid" },
      lines("Accuracy", "top-1", [curve("training", rows, "train_top1", 0), curve("training, eval mode", rows, "train_eval_top1", 2), curve(held, rows, "val_top1", 1)].filter((set) => set.data.length), { min: 0, max: 1 }, "percent"),
      lines("Loss", "loss", [curve("training", rows, "train_loss", 0), curve(held, rows, "val_loss", 1)].filter((set) => set.data.length)),
      lines("Learning rate", "rate", [curve("learning rate", rows, "lr", 3)], { min: 0 })));
    for (const evaluation of details.evaluations) showEvaluation(evaluation, flattered && evaluation.name === "test");
    const json = (title, value) => make("details", {}, make("summary", {}, title), make("pre", {}, JSON.stringify(value, null, 2)));
    section("How it was made", json("Settings, every key", details.config), json("Environment", details.environment));
  }

  function showEvaluation(evaluation, flattered) {
    const result = evaluation.document;
    const [low, high] = result.top1_interval;
    const known = { val: "validation images", test: "test images", train: "training images" };
    section("Evaluation: " + (known[evaluation.name] || evaluation.name),
      make("p", {}, count(result.samples) + " images, loss " + plain(result.loss, 4) + ", top-1 " + percent(result.top1) +
        (flattered ? "" : " (95 %: " + percent(low) + " to " + percent(high) + ")") + ", top-5 " + percent(result.top5)));
    if (flattered) page.append(make("p", { class: "note" }, "These images chose the epoch: their accuracy is flattering."));
    const classes = result.per_class;
    page.append(bars("Top-1 by class", "top-1", classes.map((one) => one.name), classes.map((one) => one.top1), null, { min: 0, max: 1 }, "percent"),
      table([["class", (r) => r.name, (r) => r.name], ["images", (r) => r.samples, (r) => count(r.samples)],
        ["top-1", (r) => r.top1, (r) => percent(r.top1)], ["precision", (r) => r.precision, (r) => percent(r.precision)]], classes));
    if (evaluation.confusion.length > 1) page.append(confusionTable(evaluation.confusion));
    if (evaluation.mistakes.length) {
      page.append(make("h3", {}, "Surest mistakes"), make("div", { class: "gallery" }, ...evaluation.mistakes.map((one) => {
        const caption = make("figcaption", {}, make("b", {}, one.class), " taken for ", make("b", {}, one.predicted), ", " + percent(one.probability));
        return make("figure", { title: one.path }, one.picture ? make("img", { src: one.picture, alt: one.class, loading: "lazy" }) : "", caption);
      })));
    }
  }

  // Many columns are called by their numbers, which stand before the names of the rows.
  function confusionTable(rows) {
    const most = Math.max(1, ...rows.slice(1).flatMap((row) => row.slice(1).map(Number)));
    const numbered = rows[0].length > 13 || rows[0].some((name) => name.length > 14);
    const cell = (text, i, j) => {
      const share = Number(text) / most;
      const hue = rows[0][j] === rows[i][0] ? "37, 99, 235" : "232, 89, 12";
      return make("td", { style: `background: rgba(${hue}, ${share > 0 ? 0.1 + 0.5 * share : 0})`, title: `${rows[i][0]} taken for ${rows[0][j]}: ${text}` }, text === "0" ? "" : text);
    };
    const head = (name, j) => make("th", { scope: "col", title: name }, j === 0 ? "class ↓ answer →" : numbered ? String(j) : name);
    const side = (name) => make("th", { scope: "row", title: name }, (numbered && rows[0].includes(name) ? rows[0].indexOf(name) + " " : "") + shortened(name, 26));
    return make("div", { class: "scroll" }, make("h3", {}, "Confusion: rows are the classes, columns the answers"),
      make("table", { class: numbered ? "confusion numbered" : "confusion" }, make("thead", {}, make("tr", {}, ...rows[0].map(head))),
        make("tbody", {}, ...rows.slice(1).map((row, k) => make("tr", {}, side(row[0]), ...row.slice(1).map((text, j) => cell(text, k + 1, j + 1)))))));
  }

  // ---- several runs

  function compareRuns(runs, groups) {
    const seeds = groups.some((group) => group.counted > 1);
    page.append(make("h1", {}, runs.length + " runs compared"),
      make("p", { class: "soft" }, seeds ? "Mean over the runs of a group; whiskers and ± are one sample standard deviation, thin lines single runs, where there are several." : "One run of each."));
    const open = runs.filter((run) => run.state !== "done").map((run) => run.name);
    if (open.length) page.append(make("p", { class: "note" }, "Not finished: " + open.join(", ") + ". They count in no mean of a group that has finished runs; a group without any shows how far it is."));
    const labels = distinct(groups.map((group) => group.label));
    const tested = groups.some((group) => isNumber(group.test_top1.mean));
    const held = tested ? "test_top1" : "best_top1";
    const flattered = runs.filter((run) => run.choose_on === "test").length;
    const set = flattered === 0 ? "validation" : flattered === runs.length ? "test" : "validation or test";
    const asTitle = set[0].toUpperCase() + set.slice(1);
    if (flattered) page.append(make("p", { class: "note" }, "On the test images " + (flattered === runs.length ? "every run" : flattered + " of " + runs.length + " runs") +
      " chose the best epoch (data.split.choose_on), whose accuracy is flattering; the final epoch's is not." + (tested ? " Without a test afterwards they have no bar for it." : "")));
    const pick = (key, factor = 1) => [groups.map((g) => (g[key].mean === null ? null : g[key].mean * factor)), groups.map((g) => (g[key].sd === null ? null : g[key].sd * factor))];
    const longest = Math.max(0, ...groups.map((group) => group.seconds.mean ?? 0));
    const [unit, divisor] = longest < 120 ? ["seconds", 1] : longest < 7200 ? ["minutes", 60] : ["hours", 3600];
    section("At a glance", make("div", { class: "grid" },
      bars("Training accuracy at the end", "top-1", labels, ...pick("final_train_top1"), { min: 0 }, "percent"),
      bars(tested ? "Test accuracy, read once at the end" : asTitle + " accuracy, best epoch (which the same images chose)", "top-1", labels, ...pick(held), { min: 0 }, "percent"),
      bars("Training time", unit, labels, ...pick("seconds", 1 / divisor), { min: 0 })));
    const keys = [...new Set(groups.flatMap((group) => Object.keys(group.settings)))];
    const short = (text) => (text && text.length > 24 ? text.slice(0, 21) + "…" : text);
    section("Groups", table([
      ["group", (g) => g.label, (g) => make("span", { title: g.label }, shortened(g.label, 40))], ["runs", (g) => g.runs.length, (g) => count(g.runs.length)],
      ...keys.map((key) => [key.split(".").pop(), (g) => (isNaN(g.settings[key]) ? g.settings[key] : Number(g.settings[key])), (g) => short(g.settings[key])]),
      ["best " + set + " top-1", (g) => g.best_top1.mean, (g) => spread(g.best_top1, percent, g.runs.length)],
      ["final " + set + " top-1", (g) => g.final_top1.mean, (g) => spread(g.final_top1, percent)],
      ...(tested ? [["test top-1", (g) => g.test_top1.mean, (g) => spread(g.test_top1, percent, g.runs.length)]] : []),
      ["final train top-1", (g) => g.final_train_top1.mean, (g) => spread(g.final_train_top1, percent)],
      ["epochs", (g) => g.epochs.mean, (g) => spread(g.epochs, (v) => v.toFixed(0))],
      ["time in epochs", (g) => g.seconds.mean, (g) => spread(g.seconds, duration)],
      ["parameters", (g) => g.parameters.mean, (g) => count(g.parameters.mean)],
      ["MACs", (g) => g.macs.mean, (g) => giga(g.macs.mean)],
      ["img/s", (g) => g.images_per_second.mean, (g) => spread(g.images_per_second, (v) => v.toFixed(0))],
    ], groups));
    const courses = (key) => groups.flatMap((group, k) => groupCourses(group.runs.map((i) => runs[i]), labels[k], key, k));
    section("Courses", make("div", { class: "grid" },
      lines(asTitle + " accuracy", "top-1", courses("val_top1"), { min: 0 }, "percent"),
      lines("Training loss", "loss", courses("train_loss"))));
    section("Runs", table([
      ["run", (r) => r.name, (r) => make("span", { title: r.name }, shortened(r.name, 40))], ["seed", (r) => r.seed, (r) => String(r.seed)], ["state", (r) => r.state, (r) => r.state],
      ["best " + set + " top-1", (r) => r.best_top1, (r) => percent(r.best_top1)], ["at epoch", (r) => r.best_epoch, (r) => count(r.best_epoch)],
      ["final " + set + " top-1", (r) => r.final_top1, (r) => percent(r.final_top1)],
      ...(tested ? [["test top-1 (95 %)", (r) => r.test_top1, (r) => (isNumber(r.test_top1) ? `${percent(r.test_top1)} (${percent(r.test_interval[0])} to ${percent(r.test_interval[1])})` : "–")]] : []),
      ...(flattered ? [["chosen on", (r) => r.choose_on, (r) => r.choose_on]] : []),
      ["epochs", (r) => r.epochs, (r) => count(r.epochs)], ["time in epochs", (r) => r.seconds, (r) => duration(r.seconds)],
      ["img/s", (r) => r.images_per_second, (r) => count(r.images_per_second)],
    ], runs));
  }

  if (data.runs.length === 1) showRun(data.runs[0], data.details);
  else compareRuns(data.runs, data.groups);
  page.append(make("p", { class: "soft" }, "effnetv2 " + data.version));
  document.title = (data.runs.length === 1 ? data.runs[0].name : data.runs.length + " runs") + " – effnetv2";
})();

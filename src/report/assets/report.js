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
  const percent = (value, digits = 1) => (isNumber(value) ? (100 * value).toFixed(digits) + " %" : "–");
  const count = (value) => (isNumber(value) ? Math.round(value).toLocaleString("en") : "–");
  const giga = (value) => (isNumber(value) ? (value / 1e9).toFixed(3) + " G" : "–");
  const duration = (s) => (!isNumber(s) ? "–" : s < 120 ? s.toFixed(0) + " s" : s < 7200 ? (s / 60).toFixed(1) + " min" : (s / 3600).toFixed(1) + " h");
  const plain = (value, digits = 3) => (isNumber(value) ? value.toFixed(digits) : "–");

  // ---- charts

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
          const scale = chart.scales.y;
          const [low, high] = [scale.getPixelForValue(set.data[i] - sd), scale.getPixelForValue(set.data[i] + sd)];
          context.save();
          context.strokeStyle = css("--ink");
          context.beginPath();
          for (const y of [low, high]) { context.moveTo(bar.x - 6, y); context.lineTo(bar.x + 6, y); }
          context.moveTo(bar.x, low);
          context.lineTo(bar.x, high);
          context.stroke();
          context.restore();
        });
      });
    },
  };

  // Runs of one group share a colour, one entry of the legend, and what a click on that does.
  const groupOf = (set) => set.group ?? set.label;
  const legendOf = (sets) => ({ filter: (item) => sets.findIndex((set) => groupOf(set) === groupOf(sets[item.datasetIndex])) === item.datasetIndex,
    generateLabels: (chart) => Chart.defaults.plugins.legend.labels.generateLabels(chart).map((item) => ({ ...item, text: groupOf(chart.data.datasets[item.datasetIndex]) })) });
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
    const axis = (text) => ({ title: { display: text !== "", text }, grid: { color: css("--line") }, ticks: { color: css("--soft") } });
    const scales = { x: axis(config.x), y: { ...axis(config.y), ...(config.scaleY || {}) } };
    scales.x.title.color = scales.y.title.color = css("--soft");
    if (config.type === "line") { scales.x.type = "linear"; scales.x.ticks.precision = 0; }
    // long names stand in full in the tables
    if (config.type === "bar") scales.x.ticks.callback = function (value) { const text = this.getLabelForValue(value); return text.length > 18 ? text.slice(0, 17) + "…" : text; };
    new Chart(canvas, {
      type: config.type,
      data: config.data,
      plugins: [whiskers],
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, parsing: config.type !== "line",
        interaction: { mode: config.type === "line" ? "nearest" : "index", intersect: false, axis: "x" },
        plugins: { legend: { display: config.data.datasets.length > 1, labels: { color: css("--ink"), boxWidth: 12, ...legendOf(config.data.datasets) }, onClick: toggle } },
        scales,
      },
    });
    return card;
  }

  const curve = (label, rows, key, i, dash) => ({
    label, borderColor: color(i), backgroundColor: color(i), borderWidth: 1.6, pointRadius: 0, borderDash: dash ? [5, 4] : [],
    data: rows.filter((row) => isNumber(row[key])).map((row) => ({ x: row.epoch, y: row[key] })),
  });
  const lines = (title, y, datasets, scaleY) => chart(title, { type: "line", x: "epoch", y, data: { datasets }, scaleY });
  const top = (values, deviations) => Math.max(0, ...values.map((value, i) => (value ?? 0) + ((deviations && deviations[i]) ?? 0))) * 1.03;
  const bars = (title, y, labels, values, deviations, scaleY) => chart(title, {
    type: "bar", x: "", y, scaleY: { suggestedMax: top(values, deviations), ...scaleY },
    data: { labels, datasets: [{ label: y, data: values, deviations, backgroundColor: labels.map((_, i) => color(i)) }] },
  });

  // ---- tables

  // columns: [title, value(row) to sort by, text(row) to show]
  function table(columns, rows) {
    const body = make("tbody");
    const fill = (list) => body.replaceChildren(...list.map((row) => make("tr", {}, ...columns.map(([, , text]) => make("td", {}, text(row))))));
    let sorted = -1, down = false;
    const heads = columns.map(([title, value], i) => {
      const button = make("button", { type: "button" }, title);
      const head = make("th", { scope: "col" }, button);
      button.addEventListener("click", () => {
        down = sorted === i ? !down : typeof value(rows[0]) === "number";
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
  const spread = (value, text) => (value.mean === null ? "–" : text(value.mean) + (value.sd === null ? "" : " ± " + text(value.sd)));

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
    tile("time", duration(run.seconds));
    tile("images a second", count(run.images_per_second));
    if (isNumber(run.parameters)) tile("parameters", count(run.parameters));
    page.append(tiles);
    const rows = run.metrics;
    section("Course", make("div", { class: "grid" },
      lines("Accuracy", "top-1", [curve("training", rows, "train_top1", 0), curve("training, eval mode", rows, "train_eval_top1", 2), curve(held, rows, "val_top1", 1)].filter((set) => set.data.length), { min: 0, max: 1 }),
      lines("Loss", "loss", [curve("training", rows, "train_loss", 0), curve(held, rows, "val_loss", 1)].filter((set) => set.data.length)),
      lines("Learning rate", "rate", [curve("learning rate", rows, "lr", 3)], { min: 0 })));
    for (const evaluation of details.evaluations) showEvaluation(evaluation);
    const json = (title, value) => make("details", {}, make("summary", {}, title), make("pre", {}, JSON.stringify(value, null, 2)));
    section("How it was made", json("Settings, every key", details.config), json("Environment", details.environment));
  }

  function showEvaluation(evaluation) {
    const result = evaluation.document;
    const [low, high] = result.top1_interval;
    section("Evaluation: " + evaluation.name,
      make("p", {}, count(result.samples) + " images, loss " + plain(result.loss, 4) + ", top-1 " + percent(result.top1) +
        " (95 %: " + percent(low) + " to " + percent(high) + "), top-5 " + percent(result.top5)));
    const classes = result.per_class;
    page.append(bars("Top-1 by class", "top-1", classes.map((one) => one.name), classes.map((one) => one.top1), null, { min: 0, max: 1 }),
      table([["class", (r) => r.name, (r) => r.name], ["images", (r) => r.samples, (r) => count(r.samples)],
        ["top-1", (r) => r.top1, (r) => percent(r.top1)], ["precision", (r) => r.precision, (r) => percent(r.precision)]], classes));
    if (evaluation.confusion.length > 1 && evaluation.confusion.length <= 60) page.append(confusionTable(evaluation.confusion));
    if (evaluation.mistakes.length) {
      page.append(make("h2", {}, "Surest mistakes"), make("div", { class: "gallery" }, ...evaluation.mistakes.map((one) => {
        const caption = make("figcaption", {}, make("b", {}, one.class), " taken for ", make("b", {}, one.predicted), ", " + percent(one.probability));
        return make("figure", { title: one.path }, one.picture ? make("img", { src: one.picture, alt: one.class, loading: "lazy" }) : "", caption);
      })));
    }
  }

  function confusionTable(rows) {
    const most = Math.max(1, ...rows.slice(1).flatMap((row) => row.slice(1).map(Number)));
    const cell = (text, i, j) => {
      const share = Number(text) / most;
      const hue = rows[0][j] === rows[i][0] ? "37, 99, 235" : "232, 89, 12";
      return make("td", { style: `background: rgba(${hue}, ${share > 0 ? 0.12 + 0.7 * share : 0})`, title: `${rows[i][0]} taken for ${rows[0][j]}: ${text}` }, text === "0" ? "" : text);
    };
    return make("div", { class: "scroll" }, make("h3", {}, "Confusion: rows are the classes, columns the answers"),
      make("table", { class: "confusion" }, make("thead", {}, make("tr", {}, ...rows[0].map((text) => make("th", {}, text)))),
        make("tbody", {}, ...rows.slice(1).map((row, k) => make("tr", {}, make("th", {}, row[0]), ...row.slice(1).map((text, j) => cell(text, k + 1, j + 1)))))));
  }

  // ---- several runs

  function compareRuns(runs, groups) {
    const seeds = groups.some((group) => group.runs.length > 1);
    page.append(make("h1", {}, runs.length + " runs compared"),
      make("p", { class: "soft" }, seeds ? "Mean over the seeds; whiskers and ± are one sample standard deviation." : "One run of each."));
    const labels = groups.map((group) => group.label);
    const tested = groups.some((group) => isNumber(group.test_top1.mean));
    const held = tested ? "test_top1" : "best_top1";
    const flattered = runs.filter((run) => run.choose_on === "test").length;
    const set = flattered === 0 ? "validation" : flattered === runs.length ? "test" : "validation or test";
    const asTitle = set[0].toUpperCase() + set.slice(1);
    if (flattered) page.append(make("p", { class: "note" }, (flattered === runs.length ? "These runs" : flattered + " of these runs") +
      " chose their best epoch on the test images (data.split.choose_on): its accuracy is flattering, the final epoch's is not."));
    const pick = (key, factor = 1) => [groups.map((g) => (g[key].mean === null ? null : g[key].mean * factor)), groups.map((g) => (g[key].sd === null ? null : g[key].sd * factor))];
    section("At a glance", make("div", { class: "grid" },
      bars("Training accuracy at the end", "top-1", labels, ...pick("final_train_top1"), { min: 0 }),
      bars(tested ? "Test accuracy, read once at the end" : asTitle + " accuracy, best epoch (which the same images chose)", "top-1", labels, ...pick(held), { min: 0 }),
      bars("Training time", "minutes", labels, ...pick("seconds", 1 / 60), { min: 0 })));
    const keys = [...new Set(groups.flatMap((group) => Object.keys(group.settings)))];
    const short = (text) => (text && text.length > 24 ? text.slice(0, 21) + "…" : text);
    section("Groups", table([
      ["group", (g) => g.label, (g) => (g.label.length > 60 ? g.label.slice(0, 59) + "…" : g.label)], ["runs", (g) => g.runs.length, (g) => count(g.runs.length)],
      ["best " + set + " top-1", (g) => g.best_top1.mean, (g) => spread(g.best_top1, percent)],
      ["final " + set + " top-1", (g) => g.final_top1.mean, (g) => spread(g.final_top1, percent)],
      ...(tested ? [["test top-1", (g) => g.test_top1.mean, (g) => spread(g.test_top1, percent)]] : []),
      ["final train top-1", (g) => g.final_train_top1.mean, (g) => spread(g.final_train_top1, percent)],
      ["epochs", (g) => g.epochs.mean, (g) => spread(g.epochs, (v) => v.toFixed(0))],
      ["time", (g) => g.seconds.mean, (g) => spread(g.seconds, duration)],
      ["parameters", (g) => g.parameters.mean, (g) => count(g.parameters.mean)],
      ["MACs", (g) => g.macs.mean, (g) => giga(g.macs.mean)],
      ["img/s", (g) => g.images_per_second.mean, (g) => spread(g.images_per_second, (v) => v.toFixed(0))],
      ...keys.map((key) => [key.split(".").pop(), (g) => (isNaN(g.settings[key]) ? g.settings[key] : Number(g.settings[key])), (g) => short(g.settings[key])]),
    ], groups));
    const place = runs.map((_, i) => groups.findIndex((group) => group.runs.includes(i)));
    const grouped = (run, key, i) => ({ ...curve(run.name, run.metrics, key, place[i]), group: groups[place[i]].label });
    section("Courses", make("div", { class: "grid" },
      lines(asTitle + " accuracy", "top-1", runs.map((run, i) => grouped(run, "val_top1", i)), { min: 0 }),
      lines("Training loss", "loss", runs.map((run, i) => grouped(run, "train_loss", i)))));
    section("Runs", table([
      ["run", (r) => r.name, (r) => r.name], ["seed", (r) => r.seed, (r) => String(r.seed)], ["state", (r) => r.state, (r) => r.state],
      ["best " + set + " top-1", (r) => r.best_top1, (r) => percent(r.best_top1)], ["at epoch", (r) => r.best_epoch, (r) => count(r.best_epoch)],
      ["final " + set + " top-1", (r) => r.final_top1, (r) => percent(r.final_top1)],
      ...(tested ? [["test top-1 (95 %)", (r) => r.test_top1, (r) => (isNumber(r.test_top1) ? `${percent(r.test_top1)} (${percent(r.test_interval[0])} to ${percent(r.test_interval[1])})` : "–")]] : []),
      ["epochs", (r) => r.epochs, (r) => count(r.epochs)], ["time", (r) => r.seconds, (r) => duration(r.seconds)],
      ["img/s", (r) => r.images_per_second, (r) => count(r.images_per_second)],
    ], runs));
  }

  if (data.runs.length === 1) showRun(data.runs[0], data.details);
  else compareRuns(data.runs, data.groups);
  page.append(make("p", { class: "soft" }, "effnetv2 " + data.version));
  document.title = (data.runs.length === 1 ? data.runs[0].name : data.runs.length + " runs") + " – effnetv2";
})();

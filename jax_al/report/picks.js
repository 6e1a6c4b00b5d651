"use strict";
// The map of the pool and the gallery of what was picked, with their controls.

function decode(text, Type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Type(bytes.buffer);
}

function hasWebGL() {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl"));
  } catch {
    return false;
  }
}

// Plotly takes text for markup and for templates; this is shown as it is.
function plain(text) {
  return text.replace(/[&<>%]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

// Fills them from `looks`; `kept` says how they were left. Returns what draws them again, and what
// gives back how they stand. The rest is of page.js: how a picture looks, and when it is drawn.
function showPicks(looks, kept, { byId, theme, themed, nest, config, drawLater }) {
  const Label = looks.labelBytes === 1 ? Uint8Array : Uint16Array;
  const slider = byId("map-episode"), strategy = byId("map-strategy"), seed = byId("map-seed");
  const plainClasses = looks.classes.map(plain);
  const type = hasWebGL() ? "scattergl" : "scatter";
  const most = type === "scatter" ? 5000 : Infinity; // SVG draws no more in good time
  let mapDrawn = false, entry = null, episodes = [], x = null, y = null, labels = null;

  const option = (value) => {
    const element = document.createElement("option");
    element.value = element.textContent = value;
    return element;
  };

  function chooseStrategy() {
    const before = seed.value;
    const found = Object.keys(looks.strategies[strategy.value]);
    seed.replaceChildren(...found.map(option));
    if (found.includes(before)) seed.value = before;
    chooseSeed();
  }

  function chooseSeed() {
    entry = looks.strategies[strategy.value][seed.value];
    const all = { ...(entry.picks || {}), ...(entry.gallery ? entry.gallery.episodes : {}) };
    episodes = Object.keys(all).map(Number).sort((a, b) => a - b);
    slider.max = Math.max(0, episodes.length - 1);
    if (entry.x) {
      x = decode(entry.x, Uint16Array);
      y = decode(entry.y, Uint16Array);
      labels = decode(entry.labels, Label);
    } else x = y = labels = null;
    redraw();
  }

  function points(rows, name, marker, gl) {
    return {
      type: gl, mode: "markers", name, marker,
      x: rows.map((row) => x[row]), y: rows.map((row) => y[row]),
      text: rows.map((row) => plainClasses[labels[row]] ?? "class unknown"),
      hovertemplate: "%{text}<extra>" + name + "</extra>",
    };
  }

  function drawMap(episode) {
    byId("map-card").hidden = !x;
    if (!x || !mapDrawn) return;
    const { ink, card, rest: restColor, before, now: nowColor, ofClass } = theme();
    const earlier = [], now = (entry.picks && entry.picks[episode]) || [];
    for (const [k, rows] of Object.entries(entry.picks || {}))
      if (Number(k) < episode) earlier.push(...rows);
    const bought = new Set([...earlier, ...now]);
    let rest = [];
    for (let row = 0; row < x.length; row++) if (!bought.has(row)) rest.push(row);
    if (rest.length > most) {
      const every = rest.length / most;
      rest = Array.from({ length: most }, (_, k) => rest[Math.floor(k * every)]);
    }
    const size = x.length > 10000 ? 3 : x.length > 2000 ? 4 : 6;
    const chosen = byId("map-class").value;
    const traces = [points(rest, "unlabeled", { size, color: restColor }, type)];
    if (chosen !== "")
      traces.push(points(rest.filter((row) => labels[row] === Number(chosen)),
        plainClasses[Number(chosen)], { size: size + 1, color: ofClass, symbol: "square" }, type));
    traces.push(
      points(earlier, "labeled before", { size: 7, color: before, symbol: "circle",
        line: { width: 1, color: card } }, type),
      points(now, episode ? "picked now" : "initial labels", { size: 11, color: nowColor,
        symbol: "diamond", line: { width: 1.5, color: ink } }, type));
    const bare = { showticklabels: false, showgrid: false, showline: false, ticks: "", zeroline: false, range: [-1500, 67000] };
    const layout = nest(themed(), {
      margin: { l: 8, r: 8, t: 8, b: 8 }, xaxis: { ...bare }, yaxis: { ...bare },
      legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", itemsizing: "constant" }, hovermode: "closest",
      uirevision: strategy.value + seed.value,
    });
    byId("plot-map").setAttribute("aria-label",
      `2-D map of the pool: ${earlier.length} points labeled before, ${now.length} picked now.`);
    byId("map-caption").textContent =
      `Each point is an ${looks.images ? "image" : "example"} of the pool; near ones have similar embeddings ` +
      `(${entry.embedding}). ${earlier.length.toLocaleString("en")} labeled ` +
      `before, ${now.length.toLocaleString("en")} picked now.`;
    Plotly.react("plot-map", traces, layout, config);
  }

  function drawGallery(episode) {
    const gallery = entry.gallery, card = byId("gallery-card");
    card.hidden = !gallery;
    if (!gallery) return;
    const found = gallery.episodes[episode], { sprite } = gallery;
    const items = !found ? [] : found.label.map((label, k) => {
      const item = document.createElement("li"), thumb = document.createElement("span");
      const right = looks.classes[label]; // undefined where nobody knows
      const said = found.predicted[k] < 0 ? null : looks.classes[found.predicted[k]];
      if (sprite) {
        thumb.className = "thumb";
        thumb.setAttribute("role", "img");
        thumb.setAttribute("aria-label", `Pick ${k + 1}: ${right ?? "class unknown"}`);
        thumb.style.height = `${96 * sprite.ratio}px`;
        thumb.style.backgroundSize = `${sprite.columns * 100}% ${sprite.lines * 100}%`;
        thumb.style.backgroundPosition =
          `${sprite.columns > 1 ? k * 100 / (sprite.columns - 1) : 0}% ` +
          `${sprite.lines > 1 ? found.line * 100 / (sprite.lines - 1) : 0}%`;
        item.append(thumb);
      }
      const title = document.createElement("strong");
      title.textContent = right ?? "class unknown";
      item.append(title);
      const add = (text, className) => {
        const line = document.createElement("span");
        line.textContent = text;
        line.className = className || "";
        item.append(document.createElement("br"), line);
      };
      if (found.id) add(found.id[k]);
      if (said !== null && right === undefined) add(`predicted ${said}`);
      else if (said !== null) add(said === right ? "✓ predicted" : `✗ predicted ${said}`,
        said === right ? "" : "wrong");
      if (found.score[k] !== null) add(`score ${found.score[k]}`);
      add(`#${k + 1}, index ${found.index[k]}`);
      return item;
    });
    if (sprite) byId("gallery").style.setProperty("--sprite", `url(${sprite.uri})`);
    byId("gallery").replaceChildren(...items);
    byId("gallery-score").textContent = looks.scores[strategy.value];
    const told = !found ? [] : found.predicted.filter((p, k) => p >= 0 && found.label[k] >= 0);
    const missed = !found ? 0
      : found.predicted.filter((p, k) => p >= 0 && found.label[k] >= 0 && p !== found.label[k]).length;
    const isTold = found && found.label.some((label) => label >= 0);
    byId("gallery-caption").textContent = !found ? "No pictures of this episode."
      : `The first ${found.label.length}, in pick order` + (isTold ? ", with their true class" : "") +
        (told.length ? `; the network was wrong on ${missed} of ${told.length}.` : ".");
  }

  function redraw() {
    const episode = episodes[Number(slider.value)] ?? 0;
    const text = episode ? `episode ${episode} of ${episodes[episodes.length - 1]}` : "initial labels";
    byId("map-now").textContent = text;
    slider.setAttribute("aria-valuetext", text);
    drawMap(episode);
    drawGallery(episode);
  }

  function move(by) {
    slider.value = Number(slider.value) + by;
    redraw();
  }

  let playing = null;
  byId("map-play").addEventListener("click", () => {
    if (playing) {
      clearInterval(playing);
      playing = null;
    } else {
      if (Number(slider.value) >= Number(slider.max)) slider.value = 0;
      redraw();
      playing = setInterval(() => {
        if (Number(slider.value) < Number(slider.max)) move(1);
        else byId("map-play").click();
      }, 900);
    }
    byId("map-play").setAttribute("aria-pressed", String(Boolean(playing)));
    byId("map-play").textContent = playing ? "Stop" : "Play";
  });
  strategy.addEventListener("change", chooseStrategy);
  seed.addEventListener("change", chooseSeed);
  slider.addEventListener("input", redraw);
  byId("map-class").addEventListener("change", redraw);
  byId("map-back").addEventListener("click", () => move(-1));
  byId("map-on").addEventListener("click", () => move(1));
  if (kept.strategy in looks.strategies) strategy.value = kept.strategy;
  chooseStrategy();
  if (kept.seed in looks.strategies[strategy.value]) {
    seed.value = kept.seed;
    chooseSeed();
  }
  byId("map-class").value = kept.chosen || "";
  const before = episodes.indexOf(kept.episode);
  slider.value = before < 0 ? Math.min(1, Number(slider.max)) : before;
  redraw();
  drawLater(byId("picks"), () => {
    mapDrawn = true;
    redraw();
  });
  const state = () => ({
    strategy: strategy.value, seed: seed.value, chosen: byId("map-class").value,
    episode: episodes[Number(slider.value)],
  });
  return { redraw, state };
}

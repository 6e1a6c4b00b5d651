"use strict";
// Draws the figures, follows the light or dark scheme, and switches strategies in all of them.
(async () => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const config = { responsive: true, displaylogo: false, displayModeBar: false };
  // A page that keeps itself fresh comes back as it was left: `keep` notes it just before.
  const note = "jax_al " + location.pathname;
  function recall() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(note)) || {};
      sessionStorage.removeItem(note);
      return kept;
    } catch { // no storage is allowed here
      return {};
    }
  }
  const kept = recall();
  const hidden = new Set(kept.hidden || data.hidden);
  let bands = kept.bands ?? data.bands;
  let picks = null; // the map and the gallery, where there are any
  function keep() {
    try {
      sessionStorage.setItem(note, JSON.stringify({ hidden: [...hidden], bands, ...picks?.state() }));
    } catch {
      return; // then it comes back as new
    }
  }

  function theme() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    return {
      ink: of("--ink"), grid: of("--edge"), card: of("--card"), soft: of("--soft"),
      rest: of("--rest"), before: of("--before"), now: of("--now"), ofClass: of("--class"),
    };
  }

  function themed() {
    const { ink, grid, card, soft } = theme();
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      "font.color": ink, "font.family": getComputedStyle(document.body).fontFamily,
      "font.size": 13,
      "hoverlabel.bgcolor": card, "hoverlabel.font.color": ink, "hoverlabel.bordercolor": soft,
    };
    for (const axis of ["xaxis", "yaxis"]) {
      layout[axis + ".gridcolor"] = grid;
      layout[axis + ".zerolinecolor"] = soft;
      layout[axis + ".linecolor"] = soft;
    }
    return layout;
  }

  // Plotly takes dotted names in relayout only; a new plot wants them nested.
  function nest(flat, into) {
    for (const [name, value] of Object.entries(flat)) {
      const path = name.split(".");
      let place = into;
      for (const part of path.slice(0, -1)) place = place[part] = place[part] || {};
      place[path[path.length - 1]] = value;
    }
    return into;
  }

  // The lines have colors for a light ground; on a dark one they are brighter.
  function painted(value, key) {
    if (Array.isArray(value)) return value.map((part) => painted(part, key));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([k, part]) => [k, painted(part, k)]));
    return dark.matches && /color$/.test(key) ? data.dark[value] ?? value : value;
  }

  // Plotly is packed in the page. Where it cannot be unpacked, all but the pictures works.
  try {
    const packed = Uint8Array.from(atob(byId("plotly").textContent), (letter) => letter.charCodeAt(0));
    const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    (0, eval)(await new Response(unpacked).text());
  } catch {
    byId("no-pictures").hidden = false;
  }

  const drawn = []; // what has been: { plot, figure }
  const waiting = new Map(); // element -> what draws it

  // A picture is drawn when it comes near the window: the page opens in the time of the first ones.
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) drawNow(target);
  }, { rootMargin: "300px" });

  function drawNow(element) {
    const draw = waiting.get(element);
    waiting.delete(element);
    near.unobserve(element);
    if (draw && window.Plotly) draw();
  }

  function drawLater(element, draw) {
    waiting.set(element, draw);
    near.observe(element);
  }

  addEventListener("beforeprint", () => [...waiting.keys()].forEach(drawNow));

  const { names } = data;
  function isShown(name) {
    if (names.includes(name)) return !hidden.has(name);
    const isHalf = (one) => // a pair of strategies: shown while both are
      names.some((other) => [`${one} and ${other}`, `${other} and ${one}`].includes(name));
    return names.filter(isHalf).every((one) => !hidden.has(one));
  }

  function visibility(trace) {
    const { strategy, band } = trace.meta || {};
    if (strategy === undefined) return true;
    if (band) return bands && isShown(strategy);
    // A legend of a few names is a switch too; of many it names those that are to be seen.
    return isShown(strategy) ? true : names.length > data.legend ? false : "legendonly";
  }

  function hasLegend(traces, visible) {
    const named = traces.filter((trace, k) => trace.showlegend && visible[k]);
    return named.length > 0 && named.length <= data.legend;
  }

  function showStrategies() {
    for (const { plot, figure } of drawn)
      if (figure.data.some((trace) => trace.meta)) {
        const visible = figure.data.map(visibility);
        Plotly.update(plot, { visible }, { showlegend: hasLegend(figure.data, visible) });
      }
    for (const button of document.querySelectorAll(".switch[data-strategy]"))
      button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.strategy)));
    if (byId("bands")) byId("bands").setAttribute("aria-pressed", String(bands));
  }

  function toggle(name) {
    if (!hidden.delete(name)) hidden.add(name);
    showStrategies();
  }

  function paint(plot, figure) {
    const visible = figure.data.map(visibility);
    const traces = figure.data.map((trace, k) => ({ ...painted(trace), visible: visible[k] }));
    const layout = nest(themed(), { ...structuredClone(figure.layout), uirevision: "the same" });
    if (figure.data.some((trace) => trace.meta)) layout.showlegend = hasLegend(figure.data, visible);
    return Plotly.react(plot, traces, layout, config); // of an empty element: a new plot
  }

  function drawFigure(plot, figure) {
    paint(plot, figure);
    drawn.push({ plot, figure });
    plot.on("plotly_legendclick", (event) => {
      const { meta } = event.data[event.curveNumber];
      if (!meta || !names.includes(meta.strategy)) return true;
      toggle(meta.strategy);
      return false;
    });
    plot.on("plotly_legenddoubleclick", () => false);
  }

  for (const [key, figure] of Object.entries(data.figures)) {
    const plot = byId("plot-" + key);
    drawLater(plot, () => drawFigure(plot, figure));
  }
  for (const button of document.querySelectorAll(".switch[data-strategy]"))
    button.addEventListener("click", () => toggle(button.dataset.strategy));
  if (byId("everybody"))
    byId("everybody").addEventListener("click", () => {
      if (hidden.size) hidden.clear();
      else names.forEach((name) => hidden.add(name));
      showStrategies();
    });
  if (byId("bands"))
    byId("bands").addEventListener("click", () => {
      bands = !bands;
      showStrategies();
    });
  showStrategies();

  // --- What is wider than its place --------------------------------------------------------------

  // It says so, and only then the keyboard stops there, to scroll it.
  function tellWidth(box) {
    const rest = box.scrollWidth - box.clientWidth, more = box.parentElement;
    more.toggleAttribute("data-wide", rest > 1);
    more.toggleAttribute("data-more", rest - box.scrollLeft > 1);
    if (box.classList.contains("scroll")) box.tabIndex = rest > 1 ? 0 : -1;
  }

  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => tellWidth(target)));
  for (const box of document.querySelectorAll(".more > *")) {
    sizes.observe(box);
    box.addEventListener("scroll", () => tellWidth(box), { passive: true });
  }

  if (data.looks)
    picks = showPicks(data.looks, kept, { byId, theme, themed, nest, config, drawLater });

  dark.addEventListener("change", () => {
    for (const { plot, figure } of drawn) paint(plot, figure);
    picks?.redraw();
  });
  if (data.refresh)
    setTimeout(() => {
      keep();
      location.reload();
    }, data.refresh * 1000);
  document.documentElement.dataset.ready = "yes";
})();

// What the pages do beyond links and forms, all of which work without it: live parts, keys, times in the reader's zone, plots.
"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);
  const remembered = (name, value) => {
    try {
      if (value === undefined) return localStorage.getItem(name);
      localStorage.setItem(name, value);
    } catch { /* a browser that keeps nothing: the choice lasts for this page */ }
    return value;
  };

  // Times: UTC from the server; in the reader's own zone on request.
  let local = remembered("tandem-zone") === "local";
  const told = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  function showTimes() {
    for (const time of all("time")) {
      time.dataset.utc ??= time.textContent;
      time.textContent = local ? told.format(new Date(time.dateTime)) : time.dataset.utc;
    }
    for (const button of all("[data-zone]")) button.textContent = local ? "Times: yours" : "Times: UTC";
  }

  // Plots.
  let drawn = [];
  async function draw() {
    for (const plot of drawn) plot.destroy();
    drawn = [];
    const place = one("[data-plots]");
    if (!place || !window.uPlot) return;
    const answer = await fetch(place.dataset.plots, { headers: { accept: "application/json" } });
    if (!answer.ok || !place.isConnected) return;
    const lines = await answer.json();
    if (lines.at.length < 2) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui", size: 34, gap: 2 };
    const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hour12: false, timeZone: local ? undefined : "UTC" });
    for (const part of all(".plot", place)) {
      const names = part.dataset.lines.split(" ");
      const strokes = (part.dataset.colours ?? (names.length > 1 ? "salesforce marketo" : "accent")).split(" ").map((name) => colour(`--${name}`));
      part.replaceChildren();
      drawn.push(new uPlot({
        width: part.clientWidth, height: 120, legend: { show: false }, cursor: { show: false },
        series: [{}, ...names.map((name, at) => ({ label: name, stroke: strokes[at], width: 2, points: { show: false } }))],
        hooks: { draw: [(plot) => mark(plot, lines.marks, colour("--soft"))] },
        scales: { y: { range: (_plot, low, high) => [0, Math.max(1, high * 1.1)] } },
        axes: [{ ...axis, size: 22, space: 70, values: (_plot, moments) => moments.map((at) => clock.format(new Date(at * 1000))) }, axis],
      }, [lines.at, ...names.map((name) => lines[name])], part));
    }
  }

  // What people changed: a dotted line in each plot; the list beneath says what.
  function mark(plot, marks, colour) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.setLineDash([3, 3]);
    for (const [at] of marks) {
      const x = plot.valToPos(at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  // Live parts: the stream says that something has changed, and the page is asked for again as it stands.
  const connection = () => one("[data-connection]");
  let pending = false, waiting = null, last = 0;
  function say(words) {
    const place = connection();
    if (!place) return;
    place.hidden = !words;
    place.textContent = words;
  }
  const busy = () => {
    const main = one("#main"), focused = document.activeElement;
    return document.hidden || one("dialog[open]") || (main && main.contains(focused) && focused.matches("input, select, textarea"));
  };
  async function refresh() {
    waiting = null;
    if (busy()) { pending = true; return; }
    pending = false;
    last = Date.now();
    const opened = all("#main details").map((each) => each.open);
    const focused = document.activeElement, index = all("#main a, #main button, #main [tabindex]").indexOf(focused);
    await htmx.ajax("GET", location.pathname + location.search, { target: "#main", select: "#main", swap: "outerHTML", source: "#main" });
    all("#main details").forEach((each, at) => { if (opened[at] !== undefined) each.open = opened[at]; });
    if (index >= 0) all("#main a, #main button, #main [tabindex]")[index]?.focus({ preventScroll: true });
  }
  function changed() {
    if (waiting === null) waiting = setTimeout(refresh, Math.max(0, 2000 - (Date.now() - last)));
  }
  function listen() {
    if (!("live" in document.body.dataset)) return;
    let lost = false;
    const events = new EventSource("/live");
    events.addEventListener("open", () => {
      say("");
      if (lost) changed();
      lost = false;
    });
    events.addEventListener("changed", () => { say(""); changed(); });
    events.addEventListener("away", () => say("The database can't be reached. Reconnecting …"));
    events.addEventListener("error", () => {
      lost = true;
      say("Reconnecting …");
      if (events.readyState === EventSource.CLOSED) { events.close(); setTimeout(listen, 3000); }
    });
    addEventListener("pagehide", () => events.close());
  }
  document.addEventListener("visibilitychange", () => { if (pending) changed(); });
  document.addEventListener("focusout", () => { if (pending) changed(); });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // Keys.
  let prefix = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    if (event.key === "/") { event.preventDefault(); (one("#asked") ?? one("#search")).focus(); }
    else if (event.key === "?") one("#keys").showModal();
    else if (event.key === "g") prefix = Date.now();
    else if (Date.now() - prefix < 1500) {
      prefix = 0;
      one(`nav a[data-key="${CSS.escape(event.key)}"]`)?.click();
    }
  });

  function ready() {
    showTimes();
    draw();
    for (const button of all("[data-zone], [data-help]")) button.hidden = false;
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-zone]")) { local = !local; remembered("tandem-zone", local ? "local" : "utc"); showTimes(); draw(); }
    if (event.target.closest("[data-help]")) one("#keys").showModal();
  });
  document.addEventListener("htmx:afterSettle", ready);
  if (matchMedia("(max-width: 900px)").matches) for (const menu of all(".menu")) menu.open = false;
  ready();
  listen();
})();

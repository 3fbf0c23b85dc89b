"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [WIDTH, HEIGHT] = data.box;
  const files = data.files.map(([path, x, y, kind], index) => {
    const cut = path.lastIndexOf("/") + 1;
    return { index, path, x, y, kind, folder: path.slice(0, cut), name: path.slice(cut),
      imports: [], importers: [], low: path.toLowerCase() };
  });
  for (const [from, to, kind] of data.edges) {
    files[from].imports.push([to, kind]);
    files[to].importers.push([from, kind]);
  }
  const typing = data.kinds.indexOf("typing"), pack = data.kinds.indexOf("package");
  const $ = (id) => document.getElementById(id);
  const canvas = $("canvas"), pen = canvas.getContext("2d");
  const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

  // What an edit reaches, and what a file needs. Imports for type checkers never run.
  function closure(start, side) {
    const found = new Set([start]), todo = [start];
    while (todo.length) {
      for (const [other, kind] of files[todo.pop()][side]) {
        if (kind !== typing && !found.has(other)) { found.add(other); todo.push(other); }
      }
    }
    return found;
  }

  const state = { focus: null, reached: new Set(), needed: new Set(), hover: null, matches: null,
    scale: 1, x: 0, y: 0 };

  // Drawing

  let colors = {};
  function readColors() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["ground", "surface", "line", "ink", "soft", "accent", "warm", "good", "bad", "quiet"]) {
      colors[name] = style.getPropertyValue(`--${name}`).trim();
    }
  }
  const KIND = { test: "good", conftest: "good", source: "soft", broken: "bad" };

  let asked = false;
  function redraw() {
    if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); }
  }

  function draw() {
    const ratio = devicePixelRatio || 1, { clientWidth: w, clientHeight: h } = canvas;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = colors.ground;
    pen.fillRect(0, 0, w, h);
    pen.setTransform(ratio * state.scale, 0, 0, ratio * state.scale, ratio * state.x, ratio * state.y);
    const left = -state.x / state.scale, top = -state.y / state.scale;
    const right = left + w / state.scale, bottom = top + h / state.scale;
    drawEdges(left, top, right, bottom);
    drawFiles(left, top, right, bottom);
  }

  // Lines of one look are one path: thousands of them are drawn in a few strokes.
  function drawEdges(left, top, right, bottom) {
    const plain = new Path2D(), out = new Path2D(), into = new Path2D(), dotted = new Path2D();
    const faint = new Path2D(); // a package above a file goes without saying
    const focused = state.focus !== null;
    let lit = 0;
    for (const [from, to, kind] of data.edges) {
      const a = files[from], b = files[to];
      if (Math.max(a.x, b.x) + WIDTH < left || Math.min(a.x, b.x) > right ||
          Math.max(a.y, b.y) + HEIGHT < top || Math.min(a.y, b.y) > bottom) continue;
      let path = plain;
      if (kind === typing) path = dotted;
      else if (focused && state.reached.has(from) && state.reached.has(to)) path = into;
      else if (focused && state.needed.has(from) && state.needed.has(to)) path = out;
      else if (kind === pack) path = faint;
      if (path === into || path === out) lit++;
      const forward = a.x < b.x;
      const x1 = forward ? a.x + WIDTH : a.x, y1 = a.y + HEIGHT / 2;
      const x2 = forward ? b.x : b.x + WIDTH, y2 = b.y + HEIGHT / 2;
      const bend = Math.max(30, Math.abs(x2 - x1) / 2) * (forward ? 1 : -1);
      path.moveTo(x1, y1);
      path.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2, y2);
    }
    const thin = 1 / Math.max(state.scale, 0.4);
    const many = data.edges.length > 2000;
    pen.lineWidth = thin;
    pen.strokeStyle = colors.soft;
    pen.globalAlpha = focused ? 0.07 : many ? 0.16 : 0.35;
    pen.stroke(plain);
    pen.globalAlpha *= 0.3;
    pen.stroke(faint);
    pen.globalAlpha = focused ? 0.15 : 0.3;
    pen.setLineDash([2 * thin, 4 * thin]);
    pen.stroke(dotted);
    pen.setLineDash([]);
    pen.globalAlpha = lit > 400 ? 0.3 : 0.75;
    pen.lineWidth = (lit > 400 ? 1 : 1.4) * thin;
    pen.strokeStyle = colors.accent;
    pen.stroke(out);
    pen.strokeStyle = colors.warm;
    pen.stroke(into);
    pen.globalAlpha = 1;
  }

  const widths = new Map();
  function fitted(text, room, font) {
    const key = `${font}|${text}`;
    if (widths.has(key)) return widths.get(key);
    let shown = text;
    while (shown.length > 1 && pen.measureText(shown === text ? shown : `${shown}…`).width > room) {
      shown = shown.slice(0, -1);
    }
    if (shown !== text) shown += "…";
    widths.set(key, shown);
    return shown;
  }

  function drawFiles(left, top, right, bottom) {
    const labels = state.scale > 0.42;
    pen.textBaseline = "middle";
    for (const file of files) {
      if (file.x + WIDTH < left || file.x > right || file.y + HEIGHT < top || file.y > bottom) continue;
      const i = file.index, focus = i === state.focus;
      const reached = state.reached.has(i), needed = state.needed.has(i);
      const away = (state.focus !== null && !reached && !needed) ||
        (state.matches !== null && !state.matches.has(i));
      const own = reached ? colors.warm : needed ? colors.accent : colors[KIND[file.kind]];
      pen.globalAlpha = away && i !== state.hover ? 0.25 : 1;
      pen.fillStyle = focus ? own : colors.surface;
      pen.strokeStyle = own;
      const strong = focus || i === state.hover || (state.matches !== null && state.matches.has(i));
      pen.lineWidth = Math.max(strong ? 2.5 : 1, (strong ? 2.5 : 0.7) / state.scale);
      pen.beginPath();
      pen.roundRect(file.x, file.y, WIDTH, HEIGHT, 5);
      pen.fill();
      pen.stroke();
      if (!labels) {
        if (!focus && (reached || needed || file.kind !== "source")) {
          pen.globalAlpha *= 0.45;
          pen.fillStyle = own;
          pen.fill();
        }
        continue;
      }
      const common = file.name === "__init__.py" || file.name === "conftest.py" || file.name === "__main__.py";
      const text = common ? file.path : file.name;
      pen.font = file.kind === "test" ? "600 12px system-ui, sans-serif" : "12px system-ui, sans-serif";
      pen.fillStyle = focus ? colors.surface : colors.ink;
      const shown = common && text.length > 24 ? `…${text.slice(-23)}` : text;
      pen.fillText(fitted(shown, WIDTH - 16, pen.font), file.x + 8, file.y + HEIGHT / 2 + 0.5);
    }
    pen.globalAlpha = 1;
  }

  // The view


  function show(chosen, most) {
    if (!chosen.length) return;
    const [x1, y1, x2, y2] = chosen.reduce(
      ([a, b, c, d], f) => [Math.min(a, f.x), Math.min(b, f.y), Math.max(c, f.x + WIDTH), Math.max(d, f.y + HEIGHT)],
      [Infinity, Infinity, -Infinity, -Infinity]);
    const w = canvas.clientWidth, h = canvas.clientHeight, margin = 24;
    state.scale = Math.min(most, (w - 2 * margin) / (x2 - x1), (h - 2 * margin) / (y2 - y1));
    state.scale = Math.max(state.scale, 0.02);
    state.x = w / 2 - state.scale * (x1 + x2) / 2;
    state.y = h / 2 - state.scale * (y1 + y2) / 2;
    redraw();
  }

  function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    const scale = Math.min(4, Math.max(0.02, state.scale * factor));
    state.x = x - (x - state.x) * scale / state.scale;
    state.y = y - (y - state.y) * scale / state.scale;
    state.scale = scale;
    redraw();
  }

  function at(x, y) {
    const gx = (x - state.x) / state.scale, gy = (y - state.y) / state.scale;
    for (let i = files.length - 1; i >= 0; i--) {
      const f = files[i];
      if (gx >= f.x && gx <= f.x + WIDTH && gy >= f.y && gy <= f.y + HEIGHT) return i;
    }
    return null;
  }

  function focus(index, { move = true } = {}) {
    state.focus = index;
    state.reached = index === null ? new Set() : closure(index, "importers");
    state.needed = index === null ? new Set() : closure(index, "imports");
    state.matches = null;
    const hash = index === null ? "" : `#${encodeURIComponent(files[index].path)}`;
    if (location.hash !== hash) history.replaceState(null, "", hash || location.pathname);
    describe();
    if (index !== null && move) {
      const f = files[index], w = canvas.clientWidth, h = canvas.clientHeight;
      const sx = state.x + state.scale * f.x, sy = state.y + state.scale * f.y;
      if (state.scale < 0.5) show(files.filter((o) => state.reached.has(o.index) || state.needed.has(o.index)), 1);
      else if (sx < 0 || sy < 0 || sx + state.scale * WIDTH > w || sy + state.scale * HEIGHT > h) {
        state.x = w / 2 - state.scale * (f.x + WIDTH / 2);
        state.y = h / 2 - state.scale * (f.y + HEIGHT / 2);
      }
    }
    redraw();
  }

  // The panel

  function element(tag, text, name) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  function button(index, aside) {
    const made = element("button", undefined, "file");
    made.type = "button";
    made.append(element("span", files[index].path, "path"));
    if (aside) made.append(" ", element("small", aside));
    made.addEventListener("click", () => focus(index));
    made.addEventListener("pointerenter", () => { state.hover = index; redraw(); });
    made.addEventListener("pointerleave", () => { state.hover = null; redraw(); });
    return made;
  }

  function list(panel, title, rows, none) {
    panel.append(element("h3", title));
    if (!rows.length) { panel.append(element("p", none)); return; }
    const made = element("ul");
    const more = (begin) => {
      for (const [index, aside] of rows.slice(begin, begin + 100)) {
        const item = element("li");
        item.append(button(index, aside));
        made.append(item);
      }
      if (rows.length > begin + 100) {
        const item = element("li"), next = element("button", `${rows.length - begin - 100} more`);
        next.type = "button";
        next.addEventListener("click", () => { item.remove(); more(begin + 100); });
        item.append(next);
        made.append(item);
      }
    };
    more(0);
    panel.append(made);
  }

  function figure(row, number, words, name) {
    const made = element("div", undefined, name);
    made.append(element("b", number.toLocaleString("en")), element("span", words));
    row.append(made);
  }

  const isTest = (index) => files[index].kind === "test";
  const byPath = (a, b) => (files[a].path < files[b].path ? -1 : 1);

  function describe() {
    const panel = $("panel");
    panel.replaceChildren();
    panel.scrollTop = 0;
    if (state.focus === null) return summary(panel);
    const file = files[state.focus];
    panel.append(element("h2", file.path, "path"));
    const reached = [...state.reached].filter((i) => i !== state.focus).sort(byPath);
    const tests = [...state.reached].filter(isTest).sort(byPath);
    const row = element("div", undefined, "figures");
    figure(row, tests.length, tests.length === 1 ? "test file reached" : "test files reached", "reached");
    figure(row, reached.length, reached.length === 1 ? "file reached" : "files reached", "reached");
    figure(row, state.needed.size - 1, state.needed.size === 2 ? "file needed" : "files needed", "needed");
    panel.append(row);
    const kinds = (pairs) => pairs.map(([i, k]) => [i, data.kinds[k] === "imports" ? "" : data.kinds[k]])
      .sort((a, b) => byPath(a[0], b[0]));
    list(panel, "An edit reaches these tests", tests.map((i) => [i]), "No test: nothing runs when it is edited.");
    list(panel, "Imported by", kinds(file.importers), "Nothing imports it.");
    list(panel, "Imports", kinds(file.imports), "Nothing of the project.");
  }

  function summary(panel) {
    const tests = files.filter((f) => f.kind === "test").length;
    panel.append(element("h2", "All files"));
    const row = element("div", undefined, "figures");
    figure(row, files.length, files.length === 1 ? "file" : "files");
    figure(row, tests, tests === 1 ? "test file" : "test files");
    figure(row, data.edges.length, data.edges.length === 1 ? "import" : "imports");
    panel.append(row);
    panel.append(element("p", "Importers stand to the left of what they import. Choose a file to see what an edit of it reaches."));
    const legend = element("div", undefined, "legend");
    for (const [name, words] of [["good", "tests and conftest files"], ["soft", "other files"], ["warm", "reached by an edit"],
      ["accent", "needed by the chosen file"], ["bad", "cannot be compiled"]]) {
      const line = element("div"), mark = element("i");
      mark.style.borderColor = `var(--${name})`;
      line.append(mark, words);
      legend.append(line);
    }
    panel.append(legend);
    const most = files.filter((f) => f.importers.length > 1)
      .sort((a, b) => b.importers.length - a.importers.length || byPath(a.index, b.index)).slice(0, 10);
    list(panel, "Most imported", most.map((f) => [f.index, plural(f.importers.length, "importer")]), "Nothing is imported twice.");
  }

  // The search

  const search = $("search"), found = $("found");
  let chosen = 0;
  function matches() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return null;
    return files.filter((f) => words.every((word) => f.low.includes(word)));
  }
  function look() {
    const all = matches();
    chosen = 0;
    state.matches = all && new Set(all.map((f) => f.index));
    found.replaceChildren();
    found.hidden = all === null;
    for (const file of (all || []).slice(0, 50)) {
      const item = element("li");
      item.append(button(file.index));
      found.append(item);
    }
    if (all && !all.length) found.append(element("li", "No file has that in its path."));
    mark();
    redraw();
  }
  function mark() {
    [...found.querySelectorAll(".file")].forEach((b, i) => {
      b.classList.toggle("active", i === chosen);
      if (i === chosen) b.scrollIntoView({ block: "nearest" });
    });
  }
  function closeSearch() { found.hidden = true; state.matches = null; redraw(); }
  search.addEventListener("input", look);
  search.addEventListener("focus", () => { if (search.value) look(); });
  search.addEventListener("keydown", (event) => {
    const there = found.querySelectorAll(".file");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      chosen = Math.max(0, Math.min(there.length - 1, chosen + (event.key === "ArrowDown" ? 1 : -1)));
      mark();
      event.preventDefault();
    } else if (event.key === "Enter" && there[chosen]) {
      there[chosen].click();
      search.blur();
    } else if (event.key === "Escape") {
      search.value = "";
      closeSearch();
      search.blur();
    }
  });
  found.addEventListener("click", (event) => { if (event.target.closest(".file")) closeSearch(); });
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest(".search")) closeSearch();
  });

  // Pointers and keys

  const pointers = new Map();
  let moved = 0, apart = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
    moved = 0;
    apart = 0;
    canvas.classList.add("dragging");
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) {
      const over = at(event.offsetX, event.offsetY);
      if (over !== state.hover) {
        state.hover = over;
        canvas.title = over === null ? "" : files[over].path;
        canvas.style.cursor = over === null ? "" : "pointer";
        redraw();
      }
      return;
    }
    pointers.set(event.pointerId, event);
    const dx = event.offsetX - before.offsetX, dy = event.offsetY - before.offsetY;
    moved += Math.abs(dx) + Math.abs(dy);
    if (pointers.size === 2) {
      const [a, b] = [...pointers.values()];
      const now = Math.hypot(a.offsetX - b.offsetX, a.offsetY - b.offsetY);
      if (apart) zoom(now / apart, (a.offsetX + b.offsetX) / 2, (a.offsetY + b.offsetY) / 2);
      apart = now;
    }
    state.x += dx / pointers.size;
    state.y += dy / pointers.size;
    redraw();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => {
      pointers.delete(event.pointerId);
      if (!pointers.size) canvas.classList.remove("dragging");
      if (name === "pointerup" && moved < 6) focus(at(event.offsetX, event.offsetY), { move: false });
    });
  }
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const step = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    zoom(Math.exp(-step / (event.ctrlKey ? 120 : 400)), event.offsetX, event.offsetY);
  }, { passive: false });

  const all = () => show(files, 1.25);
  $("in").addEventListener("click", () => zoom(1.4));
  $("out").addEventListener("click", () => zoom(1 / 1.4));
  $("fit").addEventListener("click", all);
  document.addEventListener("keydown", (event) => {
    if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
    const pan = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80] }[event.key];
    if (event.key === "/") { search.focus(); search.select(); event.preventDefault(); }
    else if (event.key === "+" || event.key === "=") zoom(1.4);
    else if (event.key === "-") zoom(1 / 1.4);
    else if (event.key === "0") all();
    else if (event.key === "Escape") focus(null);
    else if (pan && event.target === canvas) {
      state.x += pan[0];
      state.y += pan[1];
      event.preventDefault();
      redraw();
    }
  });

  function resize() {
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    draw();
  }
  new ResizeObserver(resize).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColors(); redraw(); });

  readColors();
  resize();
  all();
  const named = decodeURIComponent(location.hash.slice(1));
  const first = named ? files.findIndex((f) => f.path === named) : data.focus;
  focus(first === null || first < 0 ? null : first);
  addEventListener("hashchange", () => {
    const name = decodeURIComponent(location.hash.slice(1));
    const index = files.findIndex((f) => f.path === name);
    if (index >= 0 && index !== state.focus) focus(index);
  });
})();

// Draws today's tide into `[data-tide]` and lists the next turns in `[data-turns]`.

import { curve, heightAt, turns } from "./tide.mjs";

const HOUR = 3_600_000;
const SVG = "http://www.w3.org/2000/svg";
const margin = { left: 44, right: 12, top: 24, bottom: 34 };

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function draw(figure, station, now) {
  const canvas = figure.querySelector("[data-canvas]");
  // One unit is one pixel, so that labels stay readable on a phone.
  const frame = { ...margin, width: Math.max(300, canvas.clientWidth), height: 300 };
  const from = Math.floor(now / (24 * HOUR)) * 24 * HOUR;
  const to = from + 24 * HOUR;
  const highest = 2.5;
  const x = (time) => frame.left + ((time - from) / (to - from)) * (frame.width - frame.left - frame.right);
  const y = (height) => frame.height - frame.bottom - (height / highest) * (frame.height - frame.top - frame.bottom);

  const svg = element("svg", {
    viewBox: `0 0 ${frame.width} ${frame.height}`,
    role: "img",
    "aria-label": "Water level over the day",
  });
  for (let metres = 0; metres <= 2; metres += 1) {
    svg.append(
      element("line", { class: "grid", x1: frame.left, x2: frame.width - frame.right, y1: y(metres), y2: y(metres) }),
      element("text", { x: 0, y: y(metres) + 4 }, `${metres} m`),
    );
  }
  for (let hour = 0; hour <= 24; hour += 6) {
    const anchor = hour === 24 ? "end" : hour === 0 ? "start" : "middle";
    const label = `${String(hour % 24).padStart(2, "0")}:00`;
    svg.append(element("text", { x: x(from + hour * HOUR), y: frame.height - 8, "text-anchor": anchor }, label));
  }

  const points = curve(station, from, to, 96).map(([time, height]) => `${x(time).toFixed(1)},${y(height).toFixed(1)}`);
  const line = `M${points.join("L")}`;
  svg.append(
    element("path", { class: "water", d: `${line}L${x(to)},${y(0)}L${x(from)},${y(0)}Z` }),
    element("path", { class: "curve", d: line }),
    element("line", { class: "now", x1: x(now), x2: x(now), y1: y(heightAt(station, now)), y2: y(0) }),
    element("circle", { class: "mark", cx: x(now), cy: y(heightAt(station, now)), r: 7 }),
  );
  for (const turn of turns(station, from + HOUR, to - HOUR)) {
    const lift = turn.high ? -16 : 24;
    const label = `${clock.format(turn.time)} · ${turn.height.toFixed(2)} m`;
    svg.append(element("text", { x: x(turn.time), y: y(turn.height) + lift, "text-anchor": "middle" }, label));
  }
  canvas.replaceChildren(svg);

  const rising = heightAt(station, now + HOUR / 6) > heightAt(station, now);
  const strong = document.createElement("strong");
  strong.textContent = `${heightAt(station, now).toFixed(2)} m`;
  figure
    .querySelector("[data-reading]")
    .replaceChildren(strong, ` and ${rising ? "rising" : "falling"} at ${clock.format(now)} UTC`);
}

function list(body, station, now) {
  const rows = turns(station, now, now + 50 * HOUR).slice(0, 6);
  body.replaceChildren(
    ...rows.map((turn) => {
      const row = document.createElement("tr");
      const cells = [turn.high ? "High water" : "Low water", day.format(turn.time), clock.format(turn.time)];
      for (const text of cells) row.insertCell().textContent = text;
      const height = row.insertCell();
      height.className = "number";
      height.textContent = `${turn.height.toFixed(2)} m`;
      return row;
    }),
  );
}

const figure = document.querySelector("[data-tide]");
if (figure) {
  const answer = await fetch(new URL("../data/constituents.json", import.meta.url));
  const station = await answer.json();
  const update = () => {
    const now = Date.now();
    draw(figure, station, now);
    list(document.querySelector("[data-turns]"), station, now);
  };
  update();
  setInterval(update, 60_000);
  addEventListener("resize", update);
}

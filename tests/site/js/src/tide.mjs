// The tide as a sum of cosines: no DOM, no network, only numbers.

const HOUR = 3_600_000;

/** Height of the water above chart datum, in metres, at `time` (milliseconds since 1970). */
export function heightAt(station, time) {
  const hours = (time - Date.parse(station.epoch)) / HOUR;
  return station.constituents.reduce((height, wave) => {
    const angle = (2 * Math.PI * hours) / wave.period_hours - (wave.phase_degrees * Math.PI) / 180;
    return height + wave.amplitude * Math.cos(angle);
  }, station.mean);
}

/** High and low waters between `from` and `to`, each `{ time, height, high }`, to the minute. */
export function turns(station, from, to) {
  const step = HOUR / 10;
  const found = [];
  let before = heightAt(station, from - step);
  let here = heightAt(station, from);
  for (let time = from; time < to; time += step) {
    const after = heightAt(station, time + step);
    if ((here > before && here >= after) || (here < before && here <= after)) {
      // The vertex of the parabola through the three samples.
      const shift = (before - after) / (2 * (before - 2 * here + after));
      const exact = Math.round((time + shift * step) / 60_000) * 60_000;
      found.push({ time: exact, height: heightAt(station, exact), high: here > before });
    }
    before = here;
    here = after;
  }
  return found;
}

/** Samples of the curve, `count + 1` of them, as `[time, height]`. */
export function curve(station, from, to, count) {
  return Array.from({ length: count + 1 }, (_, index) => {
    const time = from + ((to - from) * index) / count;
    return [time, heightAt(station, time)];
  });
}

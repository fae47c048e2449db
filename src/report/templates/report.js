"use strict";
for (const main of document.querySelectorAll("main")) {
  const tools = main.querySelector(".tools");
  const findings = [...main.querySelectorAll(".finding, .lines > p")];
  const search = tools.querySelector("input[type=search]");
  const zone = tools.querySelector("select");
  const boxes = [...tools.querySelectorAll("input[type=checkbox]")];
  const count = tools.querySelector("output");
  const zones = new Set(findings.map((finding) => finding.dataset.zone));
  for (const option of [...zone.options]) {
    if (option.value && !zones.has(option.value)) option.remove();
  }
  let texts = null;
  const update = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    if (words.length && !texts) texts = findings.map((finding) => finding.textContent.toLowerCase());
    let visible = 0;
    findings.forEach((finding, number) => {
      const fits = shown.has(finding.dataset.severity) && (!zone.value || zone.value === finding.dataset.zone)
        && words.every((word) => texts[number].includes(word));
      if (finding.hidden === fits) finding.hidden = !fits;
      visible += fits ? 1 : 0;
    });
    count.textContent = visible.toLocaleString("en") + " of " + findings.length.toLocaleString("en");
  };
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(update, findings.length > 3000 ? 200 : 0);
  });
  boxes.forEach((box) => box.addEventListener("change", update));
  zone.addEventListener("change", update);
  tools.hidden = findings.length === 0;
  update();
}

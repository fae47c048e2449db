"use strict";
for (const main of document.querySelectorAll("main")) {
  const tools = main.querySelector(".tools");
  const findings = [...main.querySelectorAll(".finding")];
  const search = tools.querySelector("input[type=search]");
  const boxes = [...tools.querySelectorAll("input[type=checkbox]")];
  const count = tools.querySelector("output");
  const texts = findings.map((finding) => finding.textContent.toLowerCase());
  const update = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let visible = 0;
    findings.forEach((finding, number) => {
      const fits = shown.has(finding.dataset.severity) && words.every((word) => texts[number].includes(word));
      finding.hidden = !fits;
      visible += fits ? 1 : 0;
    });
    count.textContent = visible + " of " + findings.length + " shown";
  };
  search.addEventListener("input", update);
  boxes.forEach((box) => box.addEventListener("change", update));
  tools.hidden = false;
  update();
}

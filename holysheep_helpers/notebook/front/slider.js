// A native range with its label and its number. The model changes on "change", when the handle is
// let go, a key was pressed or a number was entered: never while the handle is being dragged.
function make(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}

function render({ model, el }) {
  const id = `hs-slider-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  const label = make("label", { htmlFor: id });
  const range = make("input", { type: "range", id });
  const number = make("input", { type: "number" });
  el.classList.add("hs-slider");
  el.append(label, range, number);

  const show = () => {
    label.textContent = label.title = model.get("description");
    number.setAttribute("aria-label", `${model.get("description")}: number`);
    for (const input of [range, number]) {
      for (const name of ["min", "max", "step", "disabled"]) input[name] = model.get(name);
      input.value = model.get("value");
    }
  };
  const commit = (text) => {
    const [low, high, step] = ["min", "max", "step"].map((name) => model.get(name));
    if (text !== "" && Number.isFinite(Number(text))) {
      const most = Math.floor((high - low) / step + 1e-9);
      const steps = Math.min(Math.max(Math.round((Number(text) - low) / step), 0), most);
      model.set("value", Number((low + steps * step).toFixed(9)));
      model.save_changes();
    }
    show();
  };
  range.addEventListener("input", () => (number.value = range.value));
  for (const input of [range, number]) {
    input.addEventListener("change", () => commit(input.value));
  }
  const names = ["value", "min", "max", "step", "description", "disabled"];
  for (const name of names) model.on(`change:${name}`, show);
  show();
  return () => names.forEach((name) => model.off(`change:${name}`, show));
}

export default { render };

// A native button. A click carries what the knobs show at that moment: a change that is still on
// its way to the kernel would come too late.
async function shown(model) {
  const values = {};
  for (const [id, name] of Object.entries(model.get("knobs"))) {
    try {
      values[id] = (await model.widget_manager.get_model(id)).get(name);
    } catch {
      return {}; // a front end that keeps its models to itself: the kernel uses what it knows
    }
  }
  return values;
}

function render({ model, el }) {
  const button = document.createElement("button");
  button.type = "button";
  el.classList.add("hs-button");
  el.append(button);

  const show = () => {
    button.textContent = model.get("description");
    button.className = `jupyter-button ${model.get("primary") ? "hs-primary" : ""}`;
    // Not "disabled", which would throw the keyboard's focus out of the panel.
    button.setAttribute("aria-disabled", model.get("disabled"));
  };
  button.addEventListener("click", async () => {
    if (model.get("disabled")) return;
    if (document.activeElement !== button) document.activeElement?.blur(); // ends what is typed
    model.send({ event: "click", shown: await shown(model) });
  });
  const names = ["description", "disabled", "primary"];
  for (const name of names) model.on(`change:${name}`, show);
  show();
  return () => names.forEach((name) => model.off(`change:${name}`, show));
}

export default { render };

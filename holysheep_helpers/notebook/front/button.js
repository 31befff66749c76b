// A native button. A click carries what the knobs show at that moment: a change that is still on
// its way to the kernel would come too late. A kernel that runs a cell hears it afterwards, and the
// button says so.
const HEARD_WITHIN_MS = 1000;

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
  const note = document.createElement("span");
  note.setAttribute("aria-live", "polite");
  el.append(button, note);

  let waiting;
  const heard = () => {
    clearTimeout(waiting);
    note.textContent = "";
  };
  model.on("msg:custom", heard);
  const show = () => {
    button.textContent = model.get("description");
    button.className = `jupyter-button ${model.get("primary") ? "hs-primary" : ""}`;
    // Not "disabled", which would throw the keyboard's focus out of the panel.
    button.setAttribute("aria-disabled", model.get("disabled"));
  };
  button.addEventListener("click", async () => {
    if (model.get("disabled")) return;
    if (document.activeElement !== button) document.activeElement?.blur(); // ends what is typed
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      note.textContent = `A cell is running: ${model.get("description")} is heard when it ends.`;
    }, HEARD_WITHIN_MS);
    model.send({ event: "click", shown: await shown(model) });
  });
  const names = ["description", "disabled", "primary"];
  for (const name of names) model.on(`change:${name}`, show);
  show();
  return () => {
    clearTimeout(waiting);
    model.off("msg:custom", heard);
    names.forEach((name) => model.off(`change:${name}`, show));
  };
}

export default { render };

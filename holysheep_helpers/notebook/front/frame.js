// The title of a panel. It names the panel as a group, and keeps the panel's keys in the panel:
// JupyterLab would take an arrow for "next cell" and two d for "delete this cell".
const FRAMES = 600;

function forTheNotebook(event) {
  const modified = event.ctrlKey || event.metaKey;
  const runs = event.key === "Enter" && (event.shiftKey || event.altKey);
  return modified || runs || event.key === "Escape";
}

function keep(event) {
  if (!forTheNotebook(event)) event.stopPropagation();
}

function render({ model, el }) {
  const title = document.createElement("strong");
  title.id = `hs-title-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  title.textContent = model.get("title");
  el.append(title);

  let panel = null;
  let waited = 0;
  let next = 0;
  const find = () => {
    panel = el.closest(".hs-panel");
    if (panel) {
      panel.setAttribute("role", "group");
      panel.setAttribute("aria-labelledby", title.id);
      panel.addEventListener("keydown", keep);
    } else if (++waited < FRAMES) {
      next = requestAnimationFrame(find); // it is put into the page after this returns
    }
  };
  find();
  return () => {
    cancelAnimationFrame(next);
    panel?.removeEventListener("keydown", keep);
  };
}

export default { render };

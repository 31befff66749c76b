// A picture with the words for those who do not see it.
function render({ model, el }) {
  const image = document.createElement("img");
  let address = "";
  el.classList.add("hs-figure");
  el.append(image);

  const words = () => (image.alt = model.get("alt"));
  const draw = () => {
    URL.revokeObjectURL(address);
    address = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
    if (model.get("value").byteLength) image.src = address;
  };
  // In a narrow window it keeps a size that can be read, and is moved by the arrow keys, too.
  const room = new ResizeObserver(() => {
    el.tabIndex = el.scrollWidth > el.clientWidth ? 0 : -1;
  });
  room.observe(el);
  room.observe(image);
  model.on("change:alt", words);
  model.on("change:value", draw);
  words();
  draw();
  return () => {
    room.disconnect();
    URL.revokeObjectURL(address);
    model.off("change:alt", words);
    model.off("change:value", draw);
  };
}

export default { render };

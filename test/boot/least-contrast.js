// For a page: the least contrast of its texts with what is behind them (WCAG 2, relative luminance).
(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const luminance = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrasts = [...document.querySelectorAll('#grid td, .verdict, .chip, .tile:not(.firmware), .area')].map(
    (element) => {
      const { color, backgroundColor } = getComputedStyle(element);
      const [one, other] = [luminance(color), luminance(backgroundColor)];
      return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    },
  );
  return Math.min(...contrasts);
})();

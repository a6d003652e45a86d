// Where labels stand: beside their face where there is room, in the picture, and over no face. Pure.

const GAP = 4; // pixels between a face and its label

// A place for each label, in the order of the faces: [{choice, x, y}]. Faces: [{id, box: {x, y, w, h}, sizes}]; sizes:
// {w, h} of the labels that it could have, the preferred first. before: by id, the side that each had; it is changed.
export function place(faces, width, height, before = new Map()) {
  const taken = [];
  const sides = new Map();
  const places = faces.map((face) => {
    const found = spot(face, faces, taken, width, height, before.get(face.id));
    taken.push({ x: found.x, y: found.y, ...face.sizes[found.choice] });
    sides.set(face.id, found.side);
    return found;
  });
  before.clear();
  for (const [id, side] of sides) before.set(id, side);
  return places;
}

const SIDES = ["right", "left", "below", "above"];

function spot(face, faces, taken, width, height, side) {
  // Where it stood in the last picture comes first: a label that changes sides cannot be read.
  const order = side ? [side, ...SIDES.filter((other) => other !== side)] : SIDES;
  let least = null;
  for (const [choice, size] of face.sizes.entries())
    for (const side of order) {
      const at = corner(face.box, size, side, width, height);
      const label = { ...at, ...size };
      const isInside = at.x >= 0 && at.y >= 0 && at.x + size.w <= width && at.y + size.h <= height;
      const hidden = [...faces.map(({ box }) => box), ...taken].reduce((sum, other) => sum + overlap(label, other), 0);
      if (isInside && hidden === 0) return { choice, side, ...at };
      const cost = hidden + (isInside ? 0 : size.w * size.h);
      if (!least || cost < least.cost) least = { cost, choice, side, ...at };
    }
  const size = face.sizes[least.choice];
  return { ...least, x: within(least.x, size.w, width), y: within(least.y, size.h, height) };
}

function corner({ x, y, w, h }, size, side, width, height) {
  const [across, down] = [within(x, size.w, width), within(y, size.h, height)];
  if (side === "right") return { x: x + w + GAP, y: down };
  if (side === "left") return { x: x - GAP - size.w, y: down };
  return { x: across, y: side === "below" ? y + h + GAP : y - GAP - size.h };
}

const within = (at, length, all) => Math.max(0, Math.min(at, all - length));

function overlap(one, other) {
  const across = Math.min(one.x + one.w, other.x + other.w) - Math.max(one.x, other.x);
  const down = Math.min(one.y + one.h, other.y + other.h) - Math.max(one.y, other.y);
  return across > 0 && down > 0 ? across * down : 0;
}

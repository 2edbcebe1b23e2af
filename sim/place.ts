/** Where a descriptor lies, packed into a field of its event: level + 1 in bits 3:0, tree in bits 7:4, bit 8 for a write by hardware. */

export function place(tree: number, level: number, hardware: boolean): number {
  return (level + 1) | (tree << 4) | (hardware ? 256 : 0);
}

export function placeLevel(where: number): number {
  return (where & 15) - 1;
}

export function placeTree(where: number): number {
  return (where >>> 4) & 15;
}

export function placeIsHardware(where: number): boolean {
  return (where & 256) !== 0;
}

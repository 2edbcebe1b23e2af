/** The word that says what lies in the last region (mmio.ts): state of its slot, and above it the generation of all slots. */
export const Edge = { Absent: 0, Memory: 1, Invalid: 2 } as const;
export const STATE_MASK = 3;
/** Generations begin anew, and entries of the last round are still there: none is believed, and none is made. */
export const UNSURE = 4;
export const GENERATION_SHIFT = 3;

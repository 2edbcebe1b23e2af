/**
 * Who owns a page and who may reach it, where several components (a host, a hypervisor, guests) share one
 * memory and do not trust each other. The system tells by claims what it has decided; what it has written
 * down in its own data is a second account of the same, and oracles compare the two.
 * Source: spec/arm.md 6.5.
 */
/** What a component's own record says about a page. */
export const PageState = { Owned: 0, SharedOwned: 1, SharedBorrowed: 2, None: 3 } as const;
export type PageState = (typeof PageState)[keyof typeof PageState];

export const PAGE_STATE_NAMES = ['owned', 'shared', 'borrowed', 'none'] as const;

export interface Ownership {
  readonly components: readonly string[];
  /** Component that may clear pages which nobody else can reach. */
  readonly hypervisor: number;
  /** Components whose pages nobody may see uncleared but who they let: a bit mask. */
  readonly secretive: number;
  /** Frames that have an owner, and of these the ones that are memory and may change it. */
  readonly first: number;
  readonly count: number;
  readonly memoryFirst: number;
  readonly memoryCount: number;
  /** Who owns a frame, alone, at boot. */
  ownerAtBoot(frame: number): number;
  /** Lock under which every transition happens: records agree whenever it is released. */
  readonly lock: number;
  /** References that are counted to a page: pins, and what hangs on it as a table. */
  references(frame: number): number;
  /** Components that keep a record, as a bit mask. */
  readonly recording: number;
  /** What the records say about a memory frame: a `PageState` in two bits for each component, the first one lowest. */
  states(frame: number): number;
}

/** Bits of `Ownership.states` that belong to these components. */
export function statesMask(components: number): number {
  let mask = 0;
  for (let component = 0; components >>> component !== 0; component += 1)
    if ((components & (1 << component)) !== 0) mask |= 3 << (2 * component);
  return mask;
}

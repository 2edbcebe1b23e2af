/** `stagewright/sim`: what models and oracles are made of. Each name is documented where it is declared. */
export {
  baseRegister,
  Domain,
  FaultClass,
  faultClass,
  faultLevel,
  Register,
} from '../sim/access.ts';
export { type Actor, ActorRole, type Operation, type Step } from '../sim/actor.ts';
export { assert, InternalError } from '../sim/assert.ts';
export { type Card, Change, Result, State, Work } from '../sim/card.ts';
export { Claim, type ClaimCode, RetryReason } from '../sim/claims.ts';
export {
  ACCESSED,
  advance,
  CONTIGUOUS,
  type Descriptor,
  DIRTY,
  DIRTY_MODIFIER,
  describe,
  EXEC,
  EXEC_PRIVILEGED,
  EXEC_USER,
  frameOf,
  Intent,
  isLeaf,
  isTable,
  isValid,
  leaf,
  MemoryType,
  permits,
  READ,
  RIGHTS,
  SOFTWARE_MASK,
  table,
  VALID,
  WRITE,
} from '../sim/descriptor.ts';
export { Event, type EventCode } from '../sim/event.ts';
export {
  alignDown,
  entriesPerTable,
  type Geometry,
  indexAt,
  LAST_LEVEL,
  levelPages,
  levelShift,
  rootIndex,
} from '../sim/geometry.ts';
export type { GoalStep } from '../sim/goal-steps.ts';
export { choiceSites, machineSites, type TranslationHardware, walkSites } from '../sim/hardware.ts';
export { armHardware } from '../sim/hardware-arm.ts';
export { x86Hardware } from '../sim/hardware-x86.ts';
export { Shareability, Tlbi, ttl } from '../sim/invalidation.ts';
export { AT_END, AT_TABLE_FREE, type Invariant } from '../sim/invariant.ts';
export { LockKind, type LockSpec, Mode } from '../sim/locks.ts';
export type { Machine } from '../sim/machine.ts';
export type { WordAddress } from '../sim/memory.ts';
export { Role } from '../sim/pages.ts';
export { type Site, type Sites, sites } from '../sim/site.ts';
export type { ActorSpec, MachineSpec } from '../sim/spec.ts';
export { StoreOrder } from '../sim/stores.ts';
export { Regime, type TreeSpec } from '../sim/tables.ts';

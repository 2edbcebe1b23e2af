/**
 * `stagewright`: define systems and oracles, run and fuzz them, draw programs and schedules in property
 * tests. What models are made of is `stagewright/sim`.
 */
export { default as fc } from 'fast-check';
export { UsageError } from '../campaign/usage.ts';
export type { Case } from '../fuzz/case.ts';
export { parseCase } from '../fuzz/case-text.ts';
export type { ActorProgram, Program, ProgramOperation } from '../fuzz/program.ts';
export { type Replay, replayCase } from '../fuzz/replay.ts';
export { Sessions } from '../fuzz/sessions.ts';
export { SYSTEMS } from '../models/registry.ts';
export {
  type Bug,
  BugFlags,
  type Configuration,
  defineSystem,
  type Goal,
  type OperationSpec,
  type Parameter,
  type RunParameter,
  type System,
  type World,
} from '../models/system.ts';
export {
  type Duty,
  defineOracle,
  type Facts,
  type Oracle,
  type OracleSpec,
  type Report,
  type Scene,
  type Subject,
  type Violation,
} from '../oracles/oracle.ts';
export { ORACLES } from '../oracles/registry.ts';
export {
  type ProgramConstraints,
  programs,
  type ScheduleConstraints,
  schedules,
} from './arbitraries.ts';
export { type FuzzFinding, type FuzzOptions, type FuzzResult, fuzz } from './fuzz.ts';
export { type RunFinding, type RunOptions, type RunOutcome, run } from './run.ts';
export type { Schedule, Switch } from './schedule.ts';

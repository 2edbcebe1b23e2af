/** Trace rows as words: what an event did, with descriptors decoded and sites named. */
import { DOMAIN_NAMES, FAULT_NAMES, REGISTER_NAMES } from '../sim/access.ts';
import { RESULT_NAMES, WORK_NAMES } from '../sim/card.ts';
import { CLAIM_NAMES, Claim } from '../sim/claims.ts';
import { describe, intentName, isValid } from '../sim/descriptor.ts';
import { EVENT_TABLE, Event } from '../sim/event.ts';
import { TLBI_NAMES, Tlbi } from '../sim/invalidation.ts';
import { ROLE_NAMES } from '../sim/pages.ts';
import { placeLevel, placeTree } from '../sim/place.ts';
import { TLB_KIND_NAMES } from '../sim/tlb.ts';
import type { Row } from '../sim/trace.ts';
import type { Session } from './session.ts';

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** By intent. */
const USES = ['reads', 'writes', 'fetches'] as const;

/** Name of a word: a kernel variable, or an entry of a table page. */
export function wordName(session: Session, word: number): string {
  const { machine, world } = session;
  const named = world.nameWord?.(word);
  if (named !== undefined) return named;
  const frame = machine.memory.frame(word);
  return `page ${frame} entry ${machine.memory.index(word)}`;
}

/** What one trace row says, without who did it. */
export function describeRow(session: Session, row: Row): string {
  const { a, b, c, d } = row;
  const { machine } = session;
  switch (row.kind) {
    case Event.Read:
      return `reads ${wordName(session, a)}: ${value(session, a, b)}`;
    case Event.StoreVisible:
      return `${wordName(session, a)} := ${value(session, a, c)}`;
    case Event.Descriptor:
      return `level ${placeLevel(d)} entry: ${entryText(session, d, b)} -> ${entryText(session, d, c)}`;
    case Event.CompareFailed:
      return `finds another value in ${wordName(session, a)}: ${value(session, a, b)}`;
    case Event.Deferred:
      return 'defers a callback';
    case Event.Callback:
      return b < 0 ? 'no callback is left' : 'runs a callback';
    case Event.Linked:
      return `table page ${a} linked at level ${b} for ${hex(c)}`;
    case Event.Unlinked:
      return `table page ${a} unlinked`;
    case Event.Barrier:
      return `DSB ${DOMAIN_NAMES[a]}`;
    case Event.Register:
      return `${REGISTER_NAMES[a]} := ${hex(b)}`;
    case Event.InvalidateIssue:
      return `${tlbiText(a, b, c)}${d === 0 ? ', nothing to remove' : ', on its way'}`;
    case Event.InvalidateArrive:
      return `${instructionName(a)} arrives at PE ${b}`;
    case Event.TlbFill:
      return `PE ${a & 0xff} caches a ${TLB_KIND_NAMES[a >>> 8]} entry for ${hex(b)}: ${describe(c)}`;
    case Event.TlbDrop:
      return `PE ${a & 0xff} drops its ${TLB_KIND_NAMES[a >>> 8]} entry for ${hex(b)}`;
    case Event.WalkStart:
      return `TLB miss for ${hex(a)}: walk starts`;
    case Event.WalkRead:
      return `walker reads level ${c}: ${describe(b)}`;
    case Event.WalkFreed:
      return `walker reads page ${b}, which is no table any more`;
    case Event.TouchFreed:
      return `touches page ${b}, which is free`;
    case Event.Fault:
      return `${FAULT_NAMES[b]} fault at ${hex(a)} (${intentName(d as 0)}, level ${c})`;
    case Event.Use:
      return `${USES[c & 15]} ${hex(a)} through page ${b}`;
    case Event.LockTake:
      return `takes ${machine.locks.specs[a]!.name}`;
    case Event.LockDrop:
      return `drops ${machine.locks.specs[a]!.name}`;
    case Event.Allocate:
      return `allocates page ${a} (${ROLE_NAMES[b]})`;
    case Event.AllocateFailed:
      return 'allocation fails';
    case Event.Free:
      return `frees page ${a} (${ROLE_NAMES[b]})`;
    case Event.DoubleFree:
      return `frees page ${a} a second time`;
    case Event.OperationEnd:
      return `ends: ${RESULT_NAMES[b] ?? b}`;
    case Event.Claim:
      return claimText(a, b, c, d);
    case Event.Choice:
      return `choice: ${a} of ${b}`;
    default:
      return EVENT_TABLE[row.kind]!.name;
  }
}

/** A word as an entry of a tree (where: sim/machine.ts, place), which may have a word of its own for entries that somebody has taken. */
export function entryText({ machine, world }: Session, where: number, word: number): string {
  const tree = placeTree(where);
  const { busy } = machine.tables.trees[tree]!;
  if (busy !== 0 && word === busy) return 'busy';
  if (word === 0 || isValid(word)) return describe(word);
  return world.describeEntry?.(tree, placeLevel(where), word) ?? describe(word);
}

function claimText(claim: number, x: number, y: number, z: number): string {
  switch (claim) {
    case Claim.HostGrants:
      return `host grants page ${y}${z >>> 1 > 0 ? ` and the ${(1 << (z >>> 1)) - 1} after it` : ''} for ${hex(x)}`;
    case Claim.HostRevokes:
      return `host revokes page ${y} of ${hex(x)}`;
    case Claim.LogStarted:
      return `log started for ${y} pages from ${hex(x)}`;
    case Claim.LogMarked:
      return `marks ${hex(x)} dirty`;
    case Claim.LogTaken:
      return `takes the marks 0x${(y >>> 0).toString(16)} from ${hex(x)}`;
    case Claim.YoungAnswered:
      return `answers: ${hex(x)} is ${z !== 0 ? 'young' : 'old'}`;
    case Claim.FaultHandled:
      return `says that the fault at ${hex(x)} is handled`;
    case Claim.FaultRetry:
      return `lets the guest retry ${hex(y)}`;
    case Claim.OwnershipChanged:
      return `page ${x} belongs to component ${y}; may reach it: 0b${z.toString(2)}`;
    case Claim.WorkBegins:
      return `begins to work: ${WORK_NAMES[y]}`;
    case Claim.ChangeJudged:
      return x === 0
        ? 'the change of the entry is legal'
        : `rule ${x} refuses the change of the entry`;
    default:
      return CLAIM_NAMES[claim] ?? 'unknown claim';
  }
}

/** Arm's instructions are written in capitals; x86 has requests, which have names of ours. */
function instructionName(operation: number): string {
  const name = TLBI_NAMES[operation]!;
  return name === name.toUpperCase() ? `TLBI ${name}` : name;
}

/** An invalidation with its operands. */
export function tlbiText(packed: number, page: number, scope: number): string {
  const operation = packed & 0xff;
  const isBroadcast = ((packed >>> 8) & 1) !== 0;
  const pages = scope & 0xffffff;
  const level = (scope >>> 24) - 1;
  const isArm = operation < Tlbi.FlushAll;
  const name = `${instructionName(operation)}${isBroadcast && isArm ? 'IS' : ''}`;
  if (pages === 0) return name;
  return `${name} ${hex(page)}${pages > 1 ? ` (${pages} pages)` : ''}${level >= 0 ? ` hint level ${level}` : ''}`;
}

function value(session: Session, word: number, content: number): string {
  const frame = session.machine.memory.frame(word);
  return frame < session.machine.spec.kernelFrames ? String(content) : describe(content);
}

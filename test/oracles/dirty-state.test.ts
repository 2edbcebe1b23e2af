/** Dirty state that hardware keeps in entries (DBM, spec/arm.md 1.9): what the oracles make of it. */
import test from 'ava';
import { abstractMap } from '../../oracles/abstract-map.ts';
import { dirtyLog } from '../../oracles/dirty-log.ts';
import { freedPage } from '../../oracles/freed-page.ts';
import type { OracleSpec } from '../../oracles/oracle.ts';
import { permissions } from '../../oracles/permissions.ts';
import { State } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { ACCESSED, DIRTY_MODIFIER, Intent, READ, WRITE } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { Role } from '../../sim/pages.ts';
import { Regime } from '../../sim/tables.ts';
import { passes, READ_ONLY, reports, Stage, TreeIndex, Who } from './stage.ts';

const CLEAN = READ_ONLY | DIRTY_MODIFIER;
const DIRTY = CLEAN | WRITE;
const PAGE = 5;

function stageWith(spec: OracleSpec, attributes: number): { stage: Stage; word: number } {
  const stage = new Stage(spec, { hardwareDirty: true });
  const word = stage.unheard(() => stage.map(PAGE, stage.take(Role.Data), attributes));
  return { stage, word };
}

/** Pages 4 to 43 are logged. */
function logged(attributes: number): { stage: Stage; word: number } {
  const { stage, word } = stageWith(dirtyLog, attributes);
  stage.claim(Claim.LogStarted, 4, 40);
  return { stage, word };
}

function write(stage: Stage): void {
  stage.as(Who.Vcpu0, 1).emit(Event.Use, PAGE, 40, Intent.Write | (Regime.Guest << 4), 0);
}

function clean(stage: Stage, word: number): void {
  stage.as(Who.Host0, 0).store(word, stage.load(word) & ~WRITE);
}

// ---- dirty-log ----

test('a page whose entry says that it was written is marked', (t) => {
  const { stage, word } = logged(CLEAN);
  stage.storeByHardware(word, stage.load(word) | WRITE);
  write(stage);
  stage.claim(Claim.LogHarvested);
  passes(t, stage);
});

test('a page that is writable without the modifier is not', (t) => {
  const { stage } = logged(READ | WRITE | ACCESSED);
  reports(t, stage, 'writable-unmarked');
});

test('the modifier says nothing where hardware does not heed it', (t) => {
  const stage = new Stage(dirtyLog);
  stage.unheard(() => stage.map(PAGE, stage.take(Role.Data), DIRTY));
  stage.claim(Claim.LogStarted, 4, 40);
  reports(t, stage, 'writable-unmarked');
});

test('what hardware found is taken out of the entry after the page was marked, or is lost', (t) => {
  for (const isMarked of [true, false]) {
    const { stage, word } = logged(DIRTY);
    if (isMarked) stage.claim(Claim.LogMarked, PAGE);
    clean(stage, word);
    if (isMarked) passes(t, stage);
    else reports(t, stage, 'state-lost');
  }
});

test('... and is in no entry any more when the entry is removed, or its modifier', (t) => {
  for (const change of [(): number => 0, (old: number): number => old & ~DIRTY_MODIFIER]) {
    const { stage, word } = logged(DIRTY);
    stage.as(Who.Host0, 0).store(word, change(stage.load(word)));
    reports(t, stage, 'state-lost');
  }
});

test('a mark that the round has taken will do until the round ends', (t) => {
  const { stage, word } = logged(DIRTY);
  stage.claim(Claim.LogMarked, PAGE);
  stage.claim(Claim.LogTaken, 4, 2);
  clean(stage, word);
  write(stage);
  t.is(stage.rule, undefined);
  stage.claim(Claim.LogHarvested);
  write(stage);
  reports(t, stage, 'write-lost');
});

test('while no log runs, and outside the slot, nothing is lost', (t) => {
  const { stage, word } = stageWith(dirtyLog, DIRTY);
  clean(stage, word);
  stage.as(Who.Vcpu0, 1).storeByHardware(word, stage.load(word) | WRITE);
  stage.claim(Claim.LogStarted, 6, 2);
  clean(stage, word);
  t.is(stage.rule, undefined);
  stage.claim(Claim.LogStarted, 4, 2);
  passes(t, stage);
});

test('a TLB lets the guest write unseen when the entry in memory is clean', (t) => {
  for (const isCleaned of [false, true]) {
    const { stage, word } = logged(DIRTY);
    stage.cache(1, word);
    if (isCleaned) {
      stage.claim(Claim.LogMarked, PAGE);
      stage.claim(Claim.LogTaken, 4, 2);
      clean(stage, word);
    }
    stage.claim(Claim.LogHarvested);
    if (isCleaned) reports(t, stage, 'writable-cached');
    else passes(t, stage);
  }
});

// ---- writable: the right, or the modifier ----

test('hardware may make an entry with the modifier writable, and no other', (t) => {
  for (const [attributes, rule] of [
    [CLEAN, undefined],
    [READ_ONLY, 'change'],
  ] as const) {
    const { stage, word } = stageWith(abstractMap, attributes);
    stage.storeByHardware(word, stage.load(word) | WRITE);
    t.is(stage.rule, rule);
  }
  const stage = new Stage(abstractMap);
  const word = stage.unheard(() => stage.map(PAGE, stage.take(Role.Data), CLEAN));
  stage.storeByHardware(word, stage.load(word) | WRITE);
  reports(t, stage, 'change');
});

test('a page with the modifier is clean, and not read-only', (t) => {
  for (const achieves of [State.Clean, State.ReadOnly] as const) {
    const { stage } = stageWith(abstractMap, CLEAN);
    stage.duty(0, { tree: TreeIndex.Guest, achieves }, [PAGE, 1]);
    stage.as(Who.Host0, 0).begin();
    stage.end();
    if (achieves === State.Clean) passes(t, stage);
    else reports(t, stage, 'promise');
  }
});

test('a page that the guest may not write is not mapped with the modifier', (t) => {
  for (const attributes of [READ_ONLY, CLEAN]) {
    const stage = new Stage(freedPage, { hardwareDirty: true });
    const frame = stage.take(Role.Data);
    stage.claim(Claim.HostGrants, PAGE, frame, 0);
    stage.map(PAGE, frame, attributes);
    if (attributes === READ_ONLY) passes(t, stage);
    else reports(t, stage, 'mapped-writable');
  }
});

test('the modifier is the right to write, which an operation may not give unless its card says so', (t) => {
  for (const grants of [READ | WRITE, READ]) {
    const stage = new Stage(permissions, { hardwareDirty: true });
    const frame = stage.take(Role.Data);
    stage.duty(0, { tree: TreeIndex.Guest, grants });
    stage.as(Who.Vcpu0, 0).map(PAGE, frame, CLEAN);
    if (grants === READ) reports(t, stage, 'right-not-asked-for');
    else passes(t, stage);
  }
});

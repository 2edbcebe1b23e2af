import test from 'ava';
import { iterator, VISITS_MAX } from '../../oracles/iterator.ts';
import { Claim } from '../../sim/claims.ts';
import { judgesAfresh, passes, reports, Stage, TreeIndex, Who } from './stage.ts';

const LEVEL_PAGE = 3;
const LEVEL_BLOCK = 2;

/** A walk of the first host over [first, end) of the guest's tree, down to pages. */
function walking(first: number, end: number): Stage {
  const stage = new Stage(iterator);
  stage.as(Who.Host0, 0);
  stage.claim(Claim.WalkBegan, first, end, TreeIndex.Guest | ((LEVEL_PAGE + 1) << 4));
  return stage;
}

function visit(stage: Stage, page: number, level: number, goesOn = false): void {
  stage.claim(Claim.WalkVisited, page, goesOn ? 1 : 0, level);
}

function finish(stage: Stage, isEarly = false): void {
  stage.claim(Claim.WalkEnded, isEarly ? 1 : 0, 0, 0);
}

test('a walk that works on a table and its pages, and on the block after it', (t) => {
  const stage = walking(0, 8);
  visit(stage, 0, LEVEL_BLOCK, true);
  for (let page = 0; page < 4; page += 1) visit(stage, page, LEVEL_PAGE);
  visit(stage, 4, LEVEL_BLOCK);
  finish(stage);
  passes(t, stage);
});

test('a walk that begins inside a block needs nothing before its first page', (t) => {
  const stage = walking(2, 4);
  visit(stage, 0, LEVEL_BLOCK, true);
  visit(stage, 2, LEVEL_PAGE);
  visit(stage, 3, LEVEL_PAGE);
  finish(stage);
  passes(t, stage);
});

test('an entry that was stepped over', (t) => {
  const stage = walking(0, 8);
  visit(stage, 0, LEVEL_BLOCK);
  finish(stage);
  reports(t, stage, 'skipped');
  t.is(stage.scene.report.violation?.page, 4);
});

test('to look at a table and not go below it is no work on its pages', (t) => {
  const stage = walking(0, 4);
  visit(stage, 0, LEVEL_BLOCK, true);
  finish(stage);
  reports(t, stage, 'skipped');
});

test('what somebody changed meanwhile may be stepped over', (t) => {
  const stage = walking(0, 8);
  visit(stage, 0, LEVEL_BLOCK);
  stage.as(Who.Host1, 1).mapBlock(4, 32);
  stage.as(Who.Host0, 0);
  finish(stage);
  passes(t, stage);
});

test('a change before the walk, in another tree or by the walker is no excuse', (t) => {
  const stage = walking(0, 8);
  finish(stage, true);
  stage.mapBlock(4, 32);
  stage.claim(Claim.WalkBegan, 0, 8, TreeIndex.Guest);
  visit(stage, 0, LEVEL_BLOCK);
  stage.storeByHardware(stage.word(4, 2), stage.load(stage.word(4, 2)) ^ 64);
  stage.map(4, 40, undefined, TreeIndex.Shadow);
  finish(stage);
  reports(t, stage, 'skipped');
});

test('a walk that is given up early owes nothing', (t) => {
  const stage = walking(0, 8);
  visit(stage, 0, LEVEL_BLOCK, true);
  finish(stage, true);
  passes(t, stage);
});

test('an entry is not visited twice', (t) => {
  const stage = walking(0, 8);
  visit(stage, 0, LEVEL_BLOCK);
  visit(stage, 0, LEVEL_BLOCK);
  reports(t, stage, 'visited-twice');
});

test('a walk does not go back up', (t) => {
  const stage = walking(0, 8);
  visit(stage, 0, LEVEL_BLOCK, true);
  visit(stage, 0, LEVEL_PAGE);
  visit(stage, 0, LEVEL_BLOCK, true);
  reports(t, stage, 'visited-twice');
});

test('after it gave up its lock a walk comes down to its target again', (t) => {
  const stage = walking(0, 4);
  visit(stage, 0, LEVEL_BLOCK, true);
  visit(stage, 0, LEVEL_PAGE);
  stage.claim(Claim.WalkYielded, 1, 0, 0);
  visit(stage, 0, LEVEL_BLOCK, true);
  for (let page = 1; page < 4; page += 1) visit(stage, page, LEVEL_PAGE);
  finish(stage);
  passes(t, stage);
});

test('what a walk was about to work on when it gave up its lock is not done', (t) => {
  const stage = walking(0, 8);
  visit(stage, 0, LEVEL_BLOCK);
  stage.claim(Claim.WalkYielded, 4, 0, 0);
  finish(stage);
  reports(t, stage, 'skipped');
});

test('a walk that gives up its lock twice at one target makes no progress', (t) => {
  const stage = walking(0, 8);
  stage.claim(Claim.WalkYielded, 2, 0, 0);
  stage.claim(Claim.WalkYielded, 2, 0, 0);
  reports(t, stage, 'no-progress');
});

test('a walk that gives up its lock where it began makes no progress', (t) => {
  const stage = walking(3, 8);
  stage.claim(Claim.WalkYielded, 3, 0, 0);
  reports(t, stage, 'no-progress');
});

test('to drop the lock for memory is not held against a walk (E5)', (t) => {
  const stage = walking(0, 4);
  visit(stage, 0, LEVEL_BLOCK, true);
  stage.claim(Claim.WalkYielded, 0, 1, 0);
  visit(stage, 0, LEVEL_BLOCK);
  finish(stage);
  passes(t, stage);
});

test('a walk that may yield asks every few entries', (t) => {
  const stage = walking(0, 16);
  stage.claim(Claim.WalkTested, 0, 0, 0);
  for (let i = 0; i < VISITS_MAX; i += 1) visit(stage, i, LEVEL_PAGE);
  t.is(stage.rule, undefined);
  visit(stage, VISITS_MAX, LEVEL_PAGE);
  reports(t, stage, 'never-asks');
});

test('a walk that never asks is one that may not yield', (t) => {
  const stage = walking(0, 16);
  for (let page = 0; page < 16; page += 1) visit(stage, page, LEVEL_PAGE);
  finish(stage);
  passes(t, stage);
});

test('the walks of two actors are kept apart', (t) => {
  const stage = walking(0, 4);
  stage.as(Who.Host1, 1).claim(Claim.WalkBegan, 0, 8, TreeIndex.Guest);
  visit(stage, 0, LEVEL_BLOCK);
  stage.as(Who.Host0, 0);
  visit(stage, 0, LEVEL_BLOCK);
  finish(stage);
  t.is(stage.rule, undefined);
  stage.as(Who.Host1, 1);
  finish(stage);
  reports(t, stage, 'skipped');
});

test('a run after a reset is judged afresh', (t) => {
  const stage = new Stage(iterator);
  judgesAfresh(t, stage, 'skipped', () => {
    stage.as(Who.Host0, 0).claim(Claim.WalkBegan, 0, 8, TreeIndex.Guest);
    visit(stage, 0, LEVEL_BLOCK);
    finish(stage);
  });
});

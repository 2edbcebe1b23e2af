#!/usr/bin/env node
/** The command line: flags, dispatch, exit codes. 0 clean, 1 finding, 2 usage, 70 our own fault. */
import { Command, CommanderError } from 'commander';
import { load } from '../campaign/catalogue.ts';
import { KINDS } from '../campaign/scaffold.ts';
import { type CheckFlags, checkTrace } from './check.ts';
import { type CiFlags, ci } from './ci.ts';
import { type CorpusFlags, corpusAdd, corpusList, corpusRefresh, corpusVerify } from './corpus.ts';
import { corpusMatrix, type MatrixFlags } from './corpus-matrix.ts';
import { type CoverageFlags, coverage } from './coverage.ts';
import { exploreCommand } from './explore.ts';
import type { ExploreFlags } from './explore-run.ts';
import { type FuzzFlags, fuzz } from './fuzz.ts';
import { LIST_NAMES, list } from './list.ts';
import { type LitmusFlags, litmus } from './litmus.ts';
import { type MinimiseFlags, minimiseFile } from './minimise.ts';
import { type MutantFlags, mutants } from './mutants.ts';
import { type MutationPageFlags, mutantsPage } from './mutation-page.ts';
import { newThing } from './new.ts';
import { type ReplayFlags, replay } from './replay.ts';
import { type ReportFlags, report } from './report.ts';
import { Exit, fail } from './terminal.ts';
import { type WorkerFlags, worker } from './worker.ts';
import { type DemoFlags, demo, type ZooFlags, zoo } from './zoo.ts';

const collect = (value: string, all: string[] | undefined): string[] => [...(all ?? []), value];

/** Builds the program; `done` receives the exit code of the command that ran. */
function build(done: (code: number) => void): Command {
  const program = new Command('stagewright');
  program
    .description('Deterministic simulation and fuzzing harness for hypervisor page tables')
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => {
        const line = text
          .trim()
          .replace(/^error: /, '')
          .replaceAll('\n', ' ');
        write(`stagewright: ${line} (--help shows what is allowed)\n`);
      },
    })
    .addHelpText('after', '\nExample:\n  stagewright fuzz kvm-arm64 --time 10m');

  program
    .command('fuzz')
    .argument('[system...]', 'systems; all correct ones by default')
    .description('runs a campaign and prints its findings, minimised')
    .option('--bug <id>', 'puts a known bug in (an id or a unique prefix; repeatable)', collect)
    .option('--configuration <id>', 'only this configuration; historical ones run only when named')
    .option('--fidelity <level>', 'only configurations of this fidelity (F1)')
    .option('--seed <n>', 'seed of the campaign: a whole number or a commit hash (1)')
    .option('--runs <n>', 'number of executions')
    .option('--time <duration>', 'such as 90s, 10m, 8h (60s when --runs is not given)')
    .option('--jobs <n>', 'worker threads (all cores); what is found does not depend on it')
    .option('--strategy <id>', 'only this strategy; the portfolio by default')
    .option('--stop-on-finding', 'ends at the first finding')
    .option('--out <dir>', 'keeps the campaign here: findings, and all that resuming it needs')
    .option('--resume <dir>', 'goes on with the campaign that --out kept there')
    .option(
      '--before <dir>',
      'an earlier campaign: says which of its findings are new, ongoing, gone',
    )
    .option(
      '--compare <variants...>',
      'two variants (correct, a configuration, a bug) of one system on the same programs and schedules',
    )
    .option('--engine <name>', 'local, or bullmq: by the workers of many machines (local)')
    .option('--redis <url>', 'with --engine bullmq: where the workers are')
    .option('--json', 'one JSON document on standard output')
    .addHelpText(
      'after',
      '\nExample:\n  stagewright fuzz kvm-arm64 --bug A20 --runs 20000 --stop-on-finding',
    )
    .action(async (systems: string[], flags: FuzzFlags) => done(await fuzz(systems, flags)));

  program
    .command('worker')
    .description('works for campaigns of "fuzz --engine bullmq" until Ctrl-C')
    .option('--redis <url>', 'redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS')
    .option('--jobs <n>', 'processes (all cores)')
    .addHelpText('after', '\nExample:\n  stagewright worker --redis redis://:secret@build1:6379')
    .action(async (flags: WorkerFlags) => done(await worker(flags)));

  program
    .command('demo')
    .description('a minute for newcomers: clean models, then three real bugs found and explained')
    .option(
      '--time <duration>',
      'time for the correct models, and at most as much for the bugs (40s)',
    )
    .addHelpText('after', '\nExample:\n  npm run fuzz')
    .action(async (flags: DemoFlags) => done(await demo(flags)));

  program
    .command('replay')
    .argument('<file...>', 'case files, or SYSTEM:SEED:INDEX for one execution of a campaign')
    .description('replays cases: verdict, lanes and explanation')
    .option('--without-bug', 'on the correct model')
    .option('--trace', 'every event of the run')
    .option('--step', 'walks through the run in the terminal')
    .option('--html <file>', 'writes a page to step through the run: the trace viewer')
    .option(
      '--export <kind>',
      'ava: a test; perfetto, casemate: a trace; printed, or written to --out',
    )
    .option('--bug <id>', 'the bug of the campaign that SYSTEM:SEED:INDEX names', collect)
    .option(
      '--out <file>',
      'writes the execution SYSTEM:SEED:INDEX as a case (with --export, what is exported)',
    )
    .option('--json', 'one JSON document on standard output')
    .addHelpText(
      'after',
      '\nExample:\n  stagewright replay corpus/kvm-arm64/A20-table-level-as-hint.yaml',
    )
    .action(async (files: string[], flags: ReplayFlags) => done(await replay(files, flags)));

  program
    .command('minimise')
    .argument('<file>', 'a case that fails')
    .description('shrinks a case in place, or into --out')
    .option('--runs <n>', 'executions that may be spent (6000)')
    .option('--out <file>', 'writes the smaller case here')
    .option('--others <dir>', 'keeps other failures that were met on the way, as cases')
    .option('--json', 'one JSON document on standard output')
    .addHelpText('after', '\nExample:\n  stagewright minimise found.yaml --out small.yaml')
    .action((file: string, flags: MinimiseFlags) => done(minimiseFile(file, flags)));

  program
    .command('explore')
    .argument('[file]', 'a small case')
    .description('runs every inequivalent schedule of a small case within bounds')
    .option('--switches <n>', 'at most so many switches (any number; 3 with --pairs)')
    .option(
      '--answers <n>',
      'at most so many answers other than the default (any number; 0 with --pairs)',
    )
    .option('--executions <n>', 'ends after so many executions')
    .option('--time <duration>', 'ends after this time, and says what was covered')
    .option('--without-bug', 'on the correct model')
    .option('--save <dir>', 'writes each finding as a case below this folder')
    .option('--pairs <system>', 'a small case for every pair of operations instead of a file')
    .option('--configuration <id>', 'with --pairs: in this configuration (the first)')
    .option('--json', 'one JSON document on standard output')
    .addHelpText(
      'after',
      '\nExample:\n  stagewright explore corpus/kvm-arm64/A20-table-level-as-hint.yaml --switches 2',
    )
    .action(async (file: string | undefined, flags: ExploreFlags) =>
      done(await exploreCommand(file, flags)),
    );

  const corpus = program.command('corpus').description('keeps the corpus of cases');
  corpus
    .command('verify')
    .argument('[dir]', 'folder or file (corpus)')
    .description('every case behaves as recorded, with its bug and without')
    .option('--json', 'one JSON document on standard output')
    .addHelpText('after', '\nExample:\n  stagewright corpus verify')
    .action((dir: string | undefined, flags: CorpusFlags) => done(corpusVerify(dir, flags)));
  corpus
    .command('list')
    .argument('[dir]', 'folder or file (corpus)')
    .description('the cases, a line each')
    .option('--json', 'one JSON document on standard output')
    .addHelpText('after', '\nExample:\n  stagewright corpus list')
    .action((dir: string | undefined, flags: CorpusFlags) => done(corpusList(dir, flags)));
  corpus
    .command('matrix')
    .argument('[dir]', 'folder or file (corpus)')
    .description('which oracles notice which bug, each oracle alone')
    .option('--base <file>', 'prints what differs from a matrix that was written before')
    .option('--format <format>', 'text or html (text)')
    .option('--out <file>', 'writes it to a file')
    .addHelpText('after', '\nExample:\n  stagewright corpus matrix --base docs/kill-matrix.txt')
    .action((dir: string | undefined, flags: MatrixFlags) => done(corpusMatrix(dir, flags)));
  corpus
    .command('add')
    .argument('<file...>', 'cases that verify')
    .description('copies cases into the corpus')
    .option('--dir <dir>', 'the corpus (corpus)')
    .addHelpText('after', '\nExample:\n  stagewright corpus add found/kvm-arm64/*.yaml')
    .action((files: string[], flags: CorpusFlags) => done(corpusAdd(files, flags)));
  corpus
    .command('refresh')
    .argument('[dir]', 'folder or file (corpus)')
    .description('records anew what the code does otherwise now, and says what changed')
    .addHelpText('after', '\nExample:\n  stagewright corpus refresh')
    .action((dir: string | undefined) => done(corpusRefresh(dir)));

  program
    .command('zoo')
    .argument('[system...]', 'systems; all by default')
    .description('looks for each known bug until it is found')
    .option('--bug <id>', 'only this bug (repeatable)', collect)
    .option('--time <duration>', 'for the whole command (60s)')
    .option('--jobs <n>', 'worker threads (all cores)')
    .option('--seed <n>', 'seed (1)')
    .option('--strategy <id>', 'only this strategy; the portfolio by default')
    .option('--out <dir>', 'writes the minimised cases below this folder')
    .option('--json', 'one JSON document on standard output')
    .addHelpText('after', '\nExample:\n  stagewright zoo kvm-arm64 --time 60s --seed 3')
    .action(async (systems: string[], flags: ZooFlags) => done(await zoo(systems, flags)));

  program
    .command('report')
    .argument('<dir>', 'folder of a campaign (fuzz --out)')
    .description('the morning report: what ran, what was found, with explanations and viewers')
    .option('--format <format>', 'html: one page in the folder (default); md: printed')
    .option('--out <file>', 'writes the report here')
    .addHelpText('after', '\nExample:\n  stagewright report campaigns/monday')
    .action((dir: string, flags: ReportFlags) => done(report(dir, flags)));

  program
    .command('coverage')
    .argument('[system...]', 'systems; all by default')
    .description('what the corpus and a campaign come to: conflict pairs, transitions, goals')
    .option('--runs <n>', 'executions of each system (20000)')
    .option('--seed <n>', 'seed of the campaign (1)')
    .option('--corpus <dir>', 'folder of cases (corpus)')
    .option('--jobs <n>', 'worker threads (all cores)')
    .option('--format <format>', 'text, json or html, a heat map (text)')
    .option('--out <file>', 'writes it to a file')
    .option('--check', 'fails when something that the base came to is not come to any more')
    .option('--base <file>', 'what --format json wrote, of as many executions')
    .option('--json', 'the same as --format json')
    .addHelpText(
      'after',
      '\nExample:\n  stagewright coverage kvm-arm64 --format html --out coverage.html',
    )
    .action(async (systems: string[], flags: CoverageFlags) =>
      done(await coverage(systems, flags)),
    );

  program
    .command('ci')
    .argument('[system...]', 'systems; all by default')
    .description('replays the corpus, then runs executions of the commit; fails on what is new')
    .option('--base <path>', 'signatures.json of the base, or a checkout of it (none: all is new)')
    .option('--corpus <dir>', 'folder of cases (corpus); an empty one is an error')
    .option('--runs <n>', 'executions, shared by the systems (20000)')
    .option('--seed <n>', 'a whole number or a commit hash (the commit that is checked out)')
    .option('--jobs <n>', 'worker threads (all cores)')
    .option(
      '--out <dir>',
      'cases, junit.xml, results.sarif, summary.md, signatures.json (ci-results)',
    )
    .option('--json', 'one JSON document on standard output')
    .addHelpText('after', '\nExample:\n  stagewright ci --base ../base --runs 50000')
    .action(async (systems: string[], flags: CiFlags) => done(await ci(systems, flags)));

  program
    .command('mutants')
    .argument('<system>', 'the system whose accesses are changed, one at a time')
    .description('drops, changes or swaps single accesses, and lists what no oracle notices')
    .option('--configuration <id>', 'only this configuration; all correct toy ones by default')
    .option('--seed <n>', 'seed of the campaign (1)')
    .option(
      '--runs <n>',
      'executions per mutant, and again as many of programs that reach it (10000)',
    )
    .option('--time <duration>', 'at most this long per mutant')
    .option('--only <text>', 'only mutants with this text in their id')
    .option('--out <file>', 'keeps results here, a line each, and goes on where it was stopped')
    .option('--json', 'one JSON document on standard output')
    .addHelpText('after', '\nExample:\n  stagewright mutants kvm-arm64 --only swap')
    .action(async (system: string, flags: MutantFlags) => done(await mutants(system, flags)));

  program
    .command('check')
    .argument('<trace>', 'a trace in the format of casemate')
    .description('judges a trace made elsewhere with our oracles')
    .option('--json', 'one JSON document on standard output')
    .addHelpText('after', '\nExample:\n  stagewright check test/casemate/break-before-make.trace')
    .action((file: string, flags: CheckFlags) => done(checkTrace(file, flags)));

  program
    .command('mutants-page')
    .argument('<file...>', 'documents of mutants SYSTEM --json')
    .description('one page of the mutants of several systems; fails when a killed one survives now')
    .option('--base <file>', 'a document to compare with (repeatable)', collect)
    .option('--out <file>', 'the page (mutants.html)')
    .addHelpText(
      'after',
      '\nExample:\n  stagewright mutants-page kvm.json xen.json --base old.json',
    )
    .action((files: string[], flags: MutationPageFlags) => done(mutantsPage(files, flags)));

  program
    .command('litmus')
    .argument('[path...]', 'litmus tests (*.litmus), or folders of them')
    .description("litmus tests in herd's format for virtual memory on our machine")
    .option('--explore', 'every inequivalent execution, however many (tries, then samples)')
    .option(
      '--runs <n>',
      'a sample of so many runs instead (with --verdicts: where the search is too long)',
    )
    .option('--fidelity <level>', 'F1, F2 or F3 (F3)')
    .option('--ets2', 'with FEAT_ETS2')
    .option('--seed <n>', 'seed of samples (1)')
    .option(
      '--verdicts <table>',
      'compares with a table of answers, in every setting or that of --fidelity',
    )
    .option('--report <file>', 'with --verdicts: writes the report there')
    .option('--witness', 'one execution that satisfies the condition, as lanes')
    .option('--json', 'one JSON document on standard output')
    .addHelpText('after', '\nExample:\n  stagewright litmus test/litmus --witness')
    .action((paths: string[], flags: LitmusFlags) => done(litmus(paths, flags)));

  program
    .command('new')
    .argument('<kind>', KINDS.join(', '))
    .argument('<name>', 'an id; of a bug SYSTEM/ID-words')
    .description(
      'writes the files of a system, an oracle or a bug, and a test that fails until they are filled',
    )
    .addHelpText('after', '\nExample:\n  stagewright new bug xen-arm/X99-forgets-flush')
    .action((kind: string, name: string) => done(newThing(kind, name)));

  program
    .command('list')
    .argument('<what>', LIST_NAMES.join(', '))
    .description('what there is')
    .option('--json', 'one JSON document on standard output')
    .addHelpText('after', '\nExample:\n  stagewright list bugs')
    .action((what: string, flags: { json?: boolean }) => done(list(what, flags)));
  program.commands.forEach(takeModules);
  program.hook('preAction', async (_, action) => {
    for (const file of action.opts<{ load?: string[] }>().load ?? []) await load(file);
  });
  return program;
}

/** Systems and oracles of the user's own are named to every command that may meet them. */
function takeModules(command: Command): void {
  command.commands.forEach(takeModules);
  if (command.commands.length > 0) return;
  command.option('--load <file>', 'adds the systems and oracles of a module (repeatable)', collect);
}

/** Runs one command line and returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = Exit.Clean;
  try {
    const program = build((result) => {
      code = result;
    });
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.Clean : Exit.Usage;
    return fail(error, `stagewright ${args.join(' ')}`);
  }
}

// who reads our output has seen enough: `| head`
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

process.exitCode = await main(process.argv.slice(2));

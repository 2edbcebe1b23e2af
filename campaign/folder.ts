/**
 * The folder of a campaign (docs/campaigns.md): campaign.json says what is run, journal.jsonl what was
 * done, summary.json how it stands, and SYSTEM/*.yaml are the findings. All but the first two can be
 * made again from them.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { FoldStep } from '../fuzz/guided/fold.ts';
import { codeDigest } from './code.ts';
import { reasonOf, writeCase, writeWhole } from './corpus.ts';
import { History, type JournalRecord, type Session } from './history.ts';
import { Journal, readJournal } from './journal.ts';
import { type Known, LifeState, lifecycle } from './lifecycle.ts';
import { UsageError } from './options.ts';
import type { ShardResult } from './task.ts';
import { type Finding, metFile } from './totals.ts';

const FORMAT = 1;

const manifestSchema = z.strictObject({
  format: z.literal(FORMAT),
  /** Digest of the code that decides what an execution does. */
  code: z.string(),
  created: z.string(),
  plan: z.strictObject({
    seed: z.int().min(0),
    targets: z
      .array(
        z.strictObject({
          system: z.string(),
          configurations: z.array(z.string()).readonly(),
          bugs: z.array(z.string()).readonly(),
        }),
      )
      .readonly(),
    strategy: z.string().nullable(),
    /** Campaigns of older versions do not say. */
    learns: z.boolean().default(false),
  }),
  /** What was asked for first; `--resume` may ask for other limits. */
  runs: z.int().min(1).nullable(),
  seconds: z.number().nullable(),
  stopOnFinding: z.boolean(),
  /** Signatures of the campaign that this one is compared with (lifecycle.ts); null for none. */
  before: z
    .array(
      z.strictObject({
        key: z.string(),
        signature: z.string(),
        state: z.enum(LifeState),
        hits: z.int().min(0),
        executions: z.int().min(0),
      }),
    )
    .readonly()
    .nullable(),
});
export type Manifest = z.infer<typeof manifestSchema>;

export class CampaignFolder {
  readonly path: string;
  readonly manifest: Manifest;
  readonly history: History;
  readonly #journal: Journal;

  private constructor(path: string, manifest: Manifest, history: History, length: number) {
    this.path = path;
    this.manifest = manifest;
    this.history = history;
    this.#journal = Journal.open(journalOf(path), length);
  }

  static create(path: string, what: Omit<Manifest, 'format' | 'code' | 'created'>): CampaignFolder {
    const file = manifestOf(path);
    if (existsSync(file)) {
      throw new UsageError(
        `${path} holds a campaign already: "fuzz --resume ${path}" goes on with it, and a new one needs another folder`,
      );
    }
    const created = new Date().toISOString();
    const manifest: Manifest = { format: FORMAT, code: codeDigest(), created, ...what };
    lock(path);
    writeWhole(file, `${JSON.stringify(manifest, undefined, 2)}\n`);
    return new CampaignFolder(path, manifest, new History(), 0);
  }

  static resume(path: string): CampaignFolder {
    const manifest = readManifest(path);
    const code = codeDigest();
    if (manifest.code !== code) {
      throw new UsageError(
        `${manifestOf(path)}: the campaign was made by code ${manifest.code}, and this is ${code}: ` +
          'its executions would not be the same; start a new one',
      );
    }
    lock(path);
    const { history, length } = readHistory(path);
    return new CampaignFolder(path, manifest, history, length);
  }

  /** Reads without taking part, for reports and comparisons; the campaign may be going on. */
  static read(path: string): { readonly manifest: Manifest; readonly history: History } {
    return { manifest: readManifest(path), history: readHistory(path).history };
  }

  /** What a campaign leaves for a later one to compare with. */
  static known(path: string): readonly Known[] {
    const { manifest, history } = CampaignFolder.read(path);
    return lifecycle(history.totals, manifest.before ?? undefined);
  }

  start(session: Session): boolean {
    this.history.sessions.push(session);
    return this.#write({ t: 'session', ...session });
  }

  /** Keeps what the totals have merged already. @returns whether it is on the disk */
  merged(result: ShardResult, seconds: number): boolean {
    this.history.notePoint();
    return this.#write({ t: 'merge', seconds, result });
  }

  /** Keeps what was learnt in an epoch. */
  learnt(step: FoldStep): boolean {
    return this.#write({ t: 'fold', step });
  }

  /** The same of the canary. */
  sang(result: ShardResult, seconds: number): boolean {
    return this.#write({ t: 'canary', seconds, result });
  }

  /** Keeps the case of a finding whose first hit was kept before. @returns whether it is on the disk */
  found({ failure, file, found }: Finding): boolean {
    if (!this.#write({ t: 'found', key: failure.key, found: found! })) return false;
    try {
      writeCase(join(this.path, file), found!.case);
    } catch (error) {
      // the journal has it: `close` tries again
      if (!(error instanceof UsageError)) throw error;
    }
    return true;
  }

  /** Why the last record is not on the disk. */
  get trouble(): string | undefined {
    return this.#journal.trouble;
  }

  /** Writes the summary and the cases that it names. @throws UsageError when there is no room */
  writeSummary(summary: object): void {
    for (const { file, case: value } of this.history.totals.met) {
      const target = join(this.path, file);
      if (!existsSync(target)) writeCase(target, value);
    }
    writeWhole(join(this.path, 'summary.json'), `${JSON.stringify(summary, undefined, 2)}\n`);
  }

  /** Writes what the journal has and the folder lacks. @throws UsageError when there is no room */
  finish(summary: object): void {
    if (this.trouble !== undefined) {
      throw new UsageError(
        `cannot write ${this.#journal.file}: ${this.trouble}; ` +
          `"fuzz --resume ${this.path}" makes again what is missing there`,
      );
    }
    for (const { file, found, failure } of this.history.totals.findings.values()) {
      // an execution has shown since what was only met before
      rmSync(join(this.path, metFile(failure.system, failure.key)), { force: true });
      const target = join(this.path, file);
      if (found !== undefined && !existsSync(target)) writeCase(target, found.case);
    }
    this.writeSummary(summary);
  }

  /** Lets others have it. */
  close(): void {
    this.#journal.close();
    rmSync(lockOf(this.path), { force: true });
  }

  #write(record: JournalRecord): boolean {
    return this.#journal.add(record);
  }
}

const manifestOf = (path: string): string => join(path, 'campaign.json');
const journalOf = (path: string): string => join(path, 'journal.jsonl');
const lockOf = (path: string): string => join(path, 'lock');

function readManifest(path: string): Manifest {
  const file = manifestOf(path);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${path} holds no campaign: cannot read ${file}: ${reasonOf(error)}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UsageError(`${file}:1:1: is no JSON`);
  }
  const manifest = manifestSchema.safeParse(value);
  if (manifest.success) return manifest.data;
  const [issue] = manifest.error.issues;
  throw new UsageError(`${file}:1:1: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

function readHistory(path: string): { readonly history: History; readonly length: number } {
  const file = journalOf(path);
  const history = new History();
  // killed before the first record
  if (!existsSync(file)) return { history, length: 0 };
  const { records, length } = readJournal(file);
  records.forEach((record, index) => {
    history.apply(record as JournalRecord, `${file}:${index + 1}:1`);
  });
  return { history, length };
}

/** One process at a time writes; the lock of a process that is gone is taken over. */
function lock(path: string): void {
  const file = lockOf(path);
  try {
    mkdirSync(path, { recursive: true });
    const owner = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
    if (owner > 0 && owner !== process.pid && isAlive(owner))
      throw new UsageError(`${path} is in use by process ${owner}`);
    writeFileSync(file, String(process.pid));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot write ${file}: ${reasonOf(error)}`);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

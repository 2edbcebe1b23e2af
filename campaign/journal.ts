/**
 * The journal of a campaign: lines that are only ever added, each with its length and checksum. A last
 * line that was torn by a crash is cut; a bad line before it means that the file was changed.
 *
 * A line is `CHECKSUM LENGTH JSON`: CRC-32 of the JSON in 8 hexadecimal digits, its length in bytes.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { reasonOf } from './corpus.ts';
import { UsageError } from './options.ts';

export class Journal {
  readonly file: string;
  readonly #descriptor: number;
  /** Bytes that are known to be whole. */
  #length: number;
  /** Why the last record could not be written; undefined while all is well. */
  trouble: string | undefined;

  private constructor(file: string, descriptor: number, length: number) {
    this.file = file;
    this.#descriptor = descriptor;
    this.#length = length;
  }

  /** Opens for adding, and cuts what `read` did not take for whole. */
  static open(file: string, length: number): Journal {
    try {
      const descriptor = openSync(file, length === 0 ? 'a' : 'r+');
      ftruncateSync(descriptor, length);
      return new Journal(file, descriptor, length);
    } catch (error) {
      throw new UsageError(`cannot write ${file}: ${reasonOf(error)}`);
    }
  }

  /**
   * Adds a record and waits until it is on the disk.
   * @returns false when that was not possible; the file is as before, and the record may be tried again
   */
  add(record: object): boolean {
    const line = Buffer.from(lineOf(record));
    try {
      for (let at = 0; at < line.length; )
        at += writeSync(this.#descriptor, line, at, line.length - at, this.#length + at);
      fsyncSync(this.#descriptor);
      this.#length += line.length;
      this.trouble = undefined;
      return true;
    } catch (error) {
      this.trouble = reasonOf(error);
      // a part may be there: readers would cut it, but the next record must not follow it
      ftruncateSync(this.#descriptor, this.#length);
      return false;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function lineOf(record: object): string {
  const json = JSON.stringify(record);
  return `${checksum(json)} ${Buffer.byteLength(json)} ${json}\n`;
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}

export interface JournalText {
  readonly records: readonly unknown[];
  /** Bytes of the file that are whole records. */
  readonly length: number;
  /** There was a torn record after them. */
  readonly isTorn: boolean;
}

/** Throws a UsageError when the file cannot be read, or was damaged before its end. */
export function readJournal(file: string): JournalText {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${reasonOf(error)}`);
  }
  const records: unknown[] = [];
  let length = 0;
  for (let line = 1; length < bytes.length; line += 1) {
    const end = bytes.indexOf(0x0a, length);
    const record = end < 0 ? undefined : recordOf(bytes.toString('utf8', length, end));
    if (record === undefined) {
      if (end < 0 || end === bytes.length - 1) return { records, length, isTorn: true };
      throw new UsageError(
        `${file}:${line}:1: the record is damaged (its checksum or length is wrong)`,
      );
    }
    records.push(record.value);
    length = end + 1;
  }
  return { records, length, isTorn: false };
}

function recordOf(line: string): { readonly value: unknown } | undefined {
  const match = /^([0-9a-f]{8}) (\d{1,9}) /.exec(line);
  if (match === null) return undefined;
  const json = line.slice(match[0].length);
  if (Buffer.byteLength(json) !== Number(match[2]) || checksum(json) !== match[1]) return undefined;
  return { value: JSON.parse(json) };
}

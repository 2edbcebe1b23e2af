/**
 * The trace format of casemate, a checker of page-table discipline: one S-expression per record, fields in a
 * fixed order, numbers in hexadecimal but for id and tid, `src` last.
 *
 *   (mem-write (id 5) (tid 0) (mem-order plain) (address 0x40001000) (value 0x40002003) (src "case.yaml:12"))
 *
 * Source: casemate's manual, "Offline trace-checker format".
 */

/** What a record is about, besides id, tid and src; addresses and values have 64 bits. */
export type CasemateEvent =
  | { readonly kind: 'mem-init'; readonly address: bigint; readonly size: bigint }
  | {
      readonly kind: 'mem-write';
      readonly isRelease: boolean;
      readonly address: bigint;
      readonly value: bigint;
    }
  | { readonly kind: 'mem-read'; readonly address: bigint; readonly value: bigint }
  /** `isb`, or a DSB of a domain. */
  | { readonly kind: 'barrier'; readonly domain: string }
  | { readonly kind: 'tlbi'; readonly operation: string; readonly value: bigint | undefined }
  | { readonly kind: 'sysreg-write'; readonly register: string; readonly value: bigint }
  | {
      readonly kind: 'hint';
      readonly hint: string;
      readonly location: bigint;
      readonly value: bigint;
    }
  | { readonly kind: 'lock' | 'unlock'; readonly address: bigint };

export interface CasemateRecord {
  readonly tid: number;
  readonly event: CasemateEvent;
  /** `file:line` */
  readonly source: string;
}

/** Threads that the checker tells apart. */
export const THREADS_MAX = 4;
export const PAGE_BYTES = 0x1000n;

export const hex = (value: bigint): string => `0x${value.toString(16)}`;

export function formatRecord({ tid, event, source }: CasemateRecord, id: number): string {
  const fields = [`(id ${id})`, `(tid ${tid})`, ...fieldsOf(event), `(src "${source}")`];
  return `(${event.kind} ${fields.join(' ')})`;
}

function fieldsOf(event: CasemateEvent): string[] {
  switch (event.kind) {
    case 'mem-init':
      return [`(address ${hex(event.address)})`, `(size ${hex(event.size)})`];
    case 'mem-write': {
      const order = event.isRelease ? 'release' : 'plain';
      return [
        `(mem-order ${order})`,
        `(address ${hex(event.address)})`,
        `(value ${hex(event.value)})`,
      ];
    }
    case 'mem-read':
      return [`(address ${hex(event.address)})`, `(value ${hex(event.value)})`];
    case 'barrier':
      return event.domain === 'isb' ? ['isb'] : ['dsb', `(kind ${event.domain})`];
    case 'tlbi':
      return event.value === undefined
        ? [event.operation]
        : [event.operation, `(value ${hex(event.value)})`];
    case 'sysreg-write':
      return [`(sysreg ${event.register})`, `(value ${hex(event.value)})`];
    case 'hint':
      return [
        `(kind ${event.hint})`,
        `(location ${hex(event.location)})`,
        `(value ${hex(event.value)})`,
      ];
    default:
      return [`(address ${hex(event.address)})`];
  }
}

/**
 * What a run leaves behind for software: every word, the role of every page, and the results of the operations,
 * as 16 hexadecimal digits. Not what caches hold: that is judged while it matters, and whether a last
 * invalidation arrived before or after the end of the run is no difference.
 */
import { Event } from '../../sim/event.ts';
import type { Machine } from '../../sim/machine.ts';
import { mix } from './fingerprint.ts';

export function endState({ memory, pages, trace }: Machine): string {
  let high = 0;
  let low = 0;
  const add = (one: number, other: number): void => {
    high = (high + mix(one, other)) | 0;
    low = (low + mix(other, ~one)) | 0;
  };
  for (let frame = 0; frame < memory.frames; frame += 1) {
    add(0x40000000 + frame, pages.role[frame]!);
    for (let index = 0; index < memory.wordsPerPage; index += 1) {
      const address = memory.address(frame, index);
      const word = memory.load(address);
      if (word !== 0) add(address, word);
    }
  }
  for (let row = 0; row < trace.count; row += 1) {
    if (trace.kind(row) !== Event.OperationEnd) continue;
    add(0x60000000 + trace.operand(row, 0), trace.operand(row, 1));
  }
  return (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0');
}

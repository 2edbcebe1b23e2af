/** A PE enters and leaves the guest: exceptions, and the interrupts that they mask. */
import { Event } from './event.ts';
import { type Machine, RUN } from './machine.ts';
import type { Pe } from './pe.ts';
import { synchronise } from './stores.ts';

export function enterGuest(machine: Machine, pe: Pe): void {
  if (pe.guest) return;
  crossException(machine, pe);
  pe.guest = true;
  if (pe.masked) {
    // what was held back by the mask comes now
    pe.masked = false;
    machine.walksChanged(pe.index);
  }
  machine.emit(Event.GuestEnter, RUN, pe.index, 0, 0, 0);
  machine.stir();
}

/** The guest is interrupted, faults, or leaves by itself. */
export function leaveGuest(machine: Machine, pe: Pe): void {
  pe.guest = false;
  crossException(machine, pe);
  if (machine.spec.masksAtExit !== true) return;
  pe.masked = true;
  machine.walksChanged(pe.index);
}

/** An exception is taken or returned from. */
function crossException(machine: Machine, pe: Pe): void {
  if (machine.delaysRegisters && machine.exceptionsSynchronise) synchronise(machine, pe);
}

/** Operations on memory slots that come and go, and accesses that only read-only slots tell apart. */
import { Intent } from '../../sim/descriptor.ts';
import type { OperationSpec } from '../system.ts';
import * as card from './cards.ts';
import type { KvmConfiguration } from './configurations.ts';
import { accessPage } from './guest.ts';
import { createSlot, deleteSlot } from './layout.ts';
import { moveSlot } from './moves.ts';
import { outsideSlot, page, slotPlace } from './parameters.ts';
import { Slot } from './slots.ts';
import type { KvmWorld } from './world.ts';

export const SLOT_OPERATIONS: readonly OperationSpec<KvmConfiguration, KvmWorld>[] = [
  {
    id: 'slot-delete',
    title: 'the memory slot is deleted: invalidate, wait for readers, unmap, remove',
    roles: ['host'],
    parameters: [],
    card: card.DELETE_SLOT_CARD,
    cardIn: ({ hasMoves }) =>
      hasMoves === true ? card.DELETE_MOVING_SLOT_CARD : card.DELETE_SLOT_CARD,
    weight: 8,
    isIn: ({ hasLayout }) => hasLayout,
    start: (self, world) => deleteSlot(self, world),
  },
  {
    id: 'slot-create',
    title: 'the memory slot is created again',
    roles: ['host'],
    parameters: [],
    card: card.CREATE_SLOT_CARD,
    weight: 4,
    isIn: ({ hasLayout }) => hasLayout,
    start: (self, world) => createSlot(self, world, Slot.Valid),
  },
  {
    id: 'slot-create-read-only',
    title: 'the memory slot is created again, for reading',
    roles: ['host'],
    parameters: [],
    card: card.CREATE_READ_ONLY_SLOT_CARD,
    weight: 4,
    isIn: ({ hasReadOnly }) => hasReadOnly === true,
    start: (self, world) => createSlot(self, world, Slot.ReadOnly),
  },
  {
    id: 'table-read',
    title: 'the guest’s stage-1 walker reads a table of the guest, in a slot that stays',
    roles: ['vcpu'],
    parameters: [page],
    constrain: ([at = 0], { geometry }) => [outsideSlot(at, geometry)],
    card: card.SHARED_ACCESS_CARD,
    weight: 5,
    isGuestAccess: true,
    isIn: ({ hasReadOnly }) => hasReadOnly === true,
    start: (self, world, [at = 0]) => accessPage(self, world, at, Intent.Read, true),
  },
  {
    id: 'table-update',
    title: 'the guest’s stage-1 walker sets a flag in a table of the guest',
    roles: ['vcpu'],
    parameters: [page],
    card: card.layoutCard(card.SHARED_ACCESS_CARD),
    weight: 5,
    isGuestAccess: true,
    isIn: ({ hasReadOnly }) => hasReadOnly === true,
    start: (self, world, [at = 0]) => accessPage(self, world, at, Intent.Write, true),
  },
  {
    id: 'slot-move',
    title: 'the memory slot is moved: invalidate, wait for readers, unmap, put to use elsewhere',
    roles: ['host'],
    parameters: [slotPlace],
    card: card.MOVE_SLOT_CARD,
    weight: 10,
    isIn: ({ hasMoves }) => hasMoves === true,
    start: (self, world, [to = 0]) => moveSlot(self, world, to),
  },
];

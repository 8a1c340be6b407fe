import { draftName, keep, parseKept, readKept } from '../kept.ts'
import type { Model } from './model.ts'

/** A text in the making, with the key of the attempt to send it: a repeated attempt never posts twice. */
export type Draft = { readonly body: string; readonly key?: string; readonly at?: number }

export const readDraft = ({ address }: Model, place: string): Draft | undefined =>
  parseKept<Draft>(readKept('localStorage', draftName(address, place)))

/** @returns whether the draft outlives the page */
export const keepDraft = ({ address }: Model, place: string, draft: Draft | undefined): boolean =>
  keep('localStorage', draftName(address, place), draft?.body ? JSON.stringify(draft) : null)

/** Parts of the thread's script that the editor and the dialogs import. */

export { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
export { Fragment, jsx, jsxs } from 'preact/jsx-runtime'
export { parseBody } from './body.ts'
export { type Answer, pause, Refused } from './call.ts'
export { learnTime } from './clock.ts'
export { Bdi, Countdown, later, NoticeLine, useModel, useThread } from './parts.tsx'
export { learnEnglish } from './texts.ts'
export { type Draft, keepDraft, readDraft } from './thread/drafts.ts'
export { editableUntil } from './thread/model.ts'
export * as tree from './thread/tree.ts'

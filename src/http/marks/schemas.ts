import { flag, object, openObject, text, textOrNull } from '../wire/schema-parts.ts'

const pinned = flag('Whether the comment is highlighted.')

const locked = flag('Whether the comment and all replies below it are closed.')

export const NewPin = object({ pinned }, { $id: 'NewPin', examples: [{ pinned: true }] })

export const NewLock = object({ locked }, { $id: 'NewLock', examples: [{ locked: true }] })

const marked = {
  comment_id: text('Id of the comment.'),
  decision_id: textOrNull('The decision. Null if nothing changed.'),
}

export const Pin = openObject({ ...marked, pinned }, { $id: 'Pin' })

export const Lock = openObject({ ...marked, locked }, { $id: 'Lock' })

import { markdownBody } from './bodies.ts'
import { sayComment } from './comments.ts'
import { createJsonReader } from './json.ts'
import { createOrigin, type Emit, type TextReader } from './reader.ts'
import * as rows from './rows.ts'
import { createThreads } from './threads.ts'

/**
 * Reads the JSON in which tools write the database of Cusdis: projects with their pages and comments.
 * Cusdis itself exports nothing.
 */
export const createCusdisReader = (emit: Emit): TextReader => {
  const take = createCusdisRows(emit)
  let count = 0
  const json = createJsonReader({
    paths: ['$.projects.*.pages.*'],
    take: ({ value }) => {
      const page = rows.rowOf(value)
      const list = Array.isArray(page.comments) ? page.comments : []
      for (const one of list) take(rows.rowOf(one), page, ++count)
    },
  })
  return {
    ...json,
    end: () => {
      json.end()
      take.end()
    },
  }
}

/** Hands over comments of Cusdis, whose fields the database and its JSON name alike. */
export const createCusdisRows = (emit: Emit) => {
  const say = createOrigin(emit)
  const sayThread = createThreads(emit)
  const take = (comment: rows.Row, page: rows.Row, index: number): void => {
    say('cusdis')
    const key = rows.textIn(page, 'id')
    const isSaid = sayComment(
      {
        id: rows.textIn(comment, 'id'),
        threadKey: key,
        parentId: rows.textOrNull(comment, 'parent_id', 'parentId'),
        author: {
          key: null,
          name: rows.textIn(comment, 'by_nickname'),
          email: rows.textOrNull(comment, 'by_email'),
          url: null,
        },
        createdAt: rows.instantIn(comment, 'created_at', 'createdAt'),
        status: statusOf(comment),
        body: markdownBody(rows.bodyIn(comment, 'content')),
      },
      index,
      emit,
    )
    if (isSaid)
      sayThread({
        key,
        address: rows.textIn(page, 'url', 'slug'),
        title: rows.textOrNull(page, 'title'),
        isClosed: false,
      })
  }
  return Object.assign(take, { end: () => say('cusdis') })
}

const statusOf = (comment: rows.Row) => {
  if (rows.textIn(comment, 'deleted_at', 'deletedAt') !== '') return 'deleted'
  return rows.flagIn(comment, 'approved') ? 'approved' : 'pending'
}

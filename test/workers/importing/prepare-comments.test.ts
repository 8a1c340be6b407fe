import fc from 'fast-check'
import t from 'tap'
import { renderMarkdown } from '../../../src/domain/comment/markdown.ts'
import type { CommentRecord } from '../../../src/domain/importing/records.ts'
import {
  prepareBatch,
  render,
  skipReasonOf,
} from '../../../src/workers/importing/prepare-comments.ts'
import { runs } from '../../lengths.ts'

const COMMENT: CommentRecord = {
  kind: 'comment',
  id: '1',
  threadKey: 'a',
  parentId: null,
  author: { key: null, name: 'Ada', email: null, url: null },
  createdAt: '2012-01-02T03:04:05.000Z',
  editedAt: null,
  status: 'approved',
  body: 'A text',
  original: null,
  upvotes: 0,
  downvotes: 0,
  isPinned: false,
  address: null,
}

const WORDS = [
  'word',
  '1.',
  '2)',
  'www.a.example',
  'a.b',
  '-',
  '--',
  'don’t',
  "don't",
  'Ж',
  '日本',
  '?',
  ' ',
  '  ',
  '\n',
  'http',
  ':',
  '5',
  '.com',
  'mailto',
]

t.test('plain text that skips the parser is rendered as the parser renders it', async (t) => {
  const texts = fc.oneof(
    fc.array(fc.constantFrom(...WORDS)).map((words) => words.join(' ')),
    fc.array(fc.constantFrom(...WORDS)).map((words) => words.join('')),
    fc.string({ unit: 'grapheme' }),
  )
  fc.assert(
    fc.property(texts, (text) => render(text) === renderMarkdown(text)),
    { numRuns: runs(500, 100_000) },
  )
  t.equal(render('Plain words, and more.'), '<p>Plain words, and more.</p>\n')
})

t.test('an import skips what it cannot store, and says why', async (t) => {
  const cases: [Partial<CommentRecord>, 'keep' | 'skip', string | undefined][] = [
    [{}, 'keep', undefined],
    [{ id: '' }, 'keep', 'no_id'],
    [{ createdAt: 'yesterday' }, 'keep', 'bad_date'],
    [{ createdAt: '0001-01-01T00:00:00.000Z' }, 'keep', 'bad_date'],
    [{ body: ' \n' }, 'keep', 'empty'],
    [{ body: '', status: 'deleted' }, 'keep', undefined],
    [{ body: 'x'.repeat(100_001) }, 'keep', 'too_long'],
    [{ status: 'pending' }, 'keep', undefined],
    [{ status: 'pending' }, 'skip', 'unapproved'],
  ]
  for (const [change, mode, reason] of cases)
    t.equal(
      skipReasonOf({ ...COMMENT, ...change }, mode),
      reason,
      JSON.stringify(change).slice(0, 60),
    )
})

t.test('names, addresses and texts of a file become valid ones', async (t) => {
  const author = {
    key: 'k\0',
    name: '\u202eada\u0000',
    email: 'no address',
    url: 'javascript:alert(1)',
  }
  const hostile = { ...COMMENT, author, body: 'a\0b\ud800"\\', address: '999.1.1.1', upvotes: -3 }
  const thread = { number: 1, key: 'a', address: 'a', title: 'Two\n lines', isClosed: false }
  const batch = prepareBatch([
    { thread, comments: [{ ...hostile, authorNumber: 1, isParentInFile: false, orphan: null }] },
  ])
  t.match(batch.comments, [
    { profile: { name: 'ada', email: null, url: null }, authorKey: 'k', address: null, upvotes: 0 },
  ])
  t.equal(batch.bodies, '{"ab\ufffd\\"\\\\"}')
  t.equal(batch.threads[0]!.title, 'Two lines')
})

import t from 'tap'
import {
  articleOfPage,
  commentOfHash,
  countAddresses,
  withQuery,
} from '../../web/embed/addresses.ts'
import * as tree from '../../web/embed/thread/tree.ts'
import type { Branch, Comment } from '../../web/embed/wire.ts'

const comment = (id: string, parent: string | null = null, depth = 0): Comment => ({
  id,
  parent_id: parent,
  depth,
  author: { id: `a${id}`, name: id, url: null, avatar_url: null, role: 'reader', kind: 'guest' },
  body: id,
  body_html: id,
  status: 'approved',
  revision: 1,
  created_at: '2026-11-29T12:00:00.000Z',
  edited_at: null,
  score: 0,
  pinned: false,
  locked: false,
  reply_count: 0,
})

const branch = (item: Comment, items: Branch[] = [], remaining = 0): Branch => ({
  ...item,
  replies: { items, next_cursor: remaining > 0 ? 'next' : null, remaining },
})

const small = tree.addPage(tree.NO_TREE, tree.ROOTS, {
  items: [
    branch(comment('1'), [branch(comment('2', '1', 1), [branch(comment('3', '2', 2))])], 4),
    branch(comment('4')),
  ],
  next_cursor: null,
})

t.test(
  'addPage keeps the order, the continuations and the identity of what did not change',
  async (t) => {
    t.same(tree.inOrder(small), ['1', '2', '3', '4'])
    t.match(tree.listOf(small, '1'), { ids: ['2'], next: 'next', remaining: 4 })
    t.equal(tree.countReplies(small, '1'), 6)
    const page = { items: [branch(comment('5', '1', 1))], next_cursor: null }
    const longer = tree.addPage(small, '1', page, 0)
    t.same(tree.inOrder(longer), ['1', '2', '3', '5', '4'])
    t.equal(longer.comments['1'], small.comments['1'])
  },
)

t.test('renew shows new comments and keeps what was loaded after the first page', async (t) => {
  const page = {
    items: [branch(comment('6')), branch({ ...comment('1'), score: 3 })],
    next_cursor: 'more',
  } as never
  const renewed = tree.renew(small, page)
  t.same(tree.listOf(renewed, tree.ROOTS).ids, ['6', '1', '4'])
  t.equal(renewed.comments['1']!.score, 3)
  t.equal(renewed.comments['4'], small.comments['4'])
})

t.test(
  'removeComment leaves a tombstone above replies, and takes it away with the last',
  async (t) => {
    const without = tree.removeComment(small, '2')
    t.match(without.comments['2'], { status: 'deleted', author: null, body: null })
    t.same(tree.inOrder(tree.removeComment(without, '3')), ['1', '4'])
  },
)

t.test('neighbourOf is the next comment, else the one before, else the parent', async (t) => {
  t.equal(tree.neighbourOf(small, '1'), '4')
  t.equal(tree.neighbourOf(small, '4'), '1')
  t.equal(tree.neighbourOf(small, '3'), '2')
})

t.test('replyableFrom finds the nearest comment that may have a reply', async (t) => {
  t.equal(tree.replyableFrom(small, '3', 2), '2')
  t.equal(tree.replyableFrom(small, '3', 3), '3')
  const locked = tree.changeComment(small, '1', { locked: true })
  t.ok(tree.isLocked(locked, '3'))
})

t.test('putComment shows an own comment first, once, and only where its parent is', async (t) => {
  const put = tree.putComment(small, comment('7', '1', 1))
  t.same(tree.listOf(put, '1').ids, ['7', '2'])
  t.same(tree.listOf(tree.putComment(put, comment('7', '1', 1)), '1').ids, ['7', '2'])
  t.equal(tree.putComment(small, comment('8', 'elsewhere', 1)), small)
})

t.test('the article of a page is its address without tracking', async (t) => {
  const address = 'https://a.example/b?utm_source=c&id=4&fbclid=d&gclid=e&msclkid=f&ref=g#h'
  t.equal(articleOfPage(address), 'https://a.example/b?id=4')
  t.equal(commentOfHash('#cO7PvZ76eDAiki_4qUTIWEw'), 'cO7PvZ76eDAiki_4qUTIWEw')
  t.equal(commentOfHash('#comments'), undefined)
  t.equal(withQuery('/a', { b: 'c d', e: null, f: 0 }), '/a?b=c+d&f=0')
})

t.test('countAddresses sorts, names each article once and stays below the limits', async (t) => {
  t.same(countAddresses('/s', ['b', 'a', 'b']), ['/s/counts?article_id=a&article_id=b'])
  const many = Array.from({ length: 600 }, (_, n) => `https://a.example/${'x'.repeat(60)}/${n}`)
  const addresses = countAddresses('/s', many)
  t.ok(addresses.every((address) => address.length <= 7_000 && address.split('&').length <= 250))
  t.equal(addresses.join('&').match(/article_id=/g)!.length, 600)
})

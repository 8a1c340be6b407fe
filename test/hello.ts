export const ARTICLE = '/v1/sites/default/articles/hello/comments'

export const postTo = (url: string, body: string): Promise<Response> =>
  fetch(`${url}${ARTICLE}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ body, author: { name: 'Ada' } }),
  })

export const bodiesOf = async (url: string): Promise<string[]> => {
  const answer = await fetch(`${url}${ARTICLE}?sort=oldest`)
  const { items } = (await answer.json()) as { items: { body: string }[] }
  return items.map(({ body }) => body)
}

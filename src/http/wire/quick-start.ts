/** Opens the API description. A test runs its commands against a fresh database, in this order. */
export const QUICK_START = `## Quick start

Post a comment as a guest. \`hello-world\` is the site's own id for the article; its first comment creates
the thread.

\`\`\`sh
SITE=http://localhost:3000/v1/sites/default
curl -s $SITE/articles/hello-world/comments \\
  --json '{"body":"Hi!","author":{"name":"Ada"}}'
\`\`\`

Read the thread.

\`\`\`sh
curl -s $SITE/articles/hello-world/comments
\`\`\`

Hold new comments for a moderator. Set \`KEY\` to the admin key that the service prints at its first start.

\`\`\`sh
curl -s -X PATCH $SITE \\
  -H "Authorization: Bearer $KEY" \\
  --json '{"moderation":"pre"}'
curl -s $SITE/articles/hello-world/comments \\
  --json '{"body":"Buy!","author":{"name":"Eve"}}'
\`\`\`

List the moderation queue, then decide about the held comment: \`ID\` is the \`id\` that
the queue shows.

\`\`\`sh
curl -s $SITE/moderation/comments \\
  -H "Authorization: Bearer $KEY"
curl -s $SITE/comments/$ID/decisions \\
  -H "Authorization: Bearer $KEY" \\
  --json '{"from":"pending","to":"spam"}'
\`\`\``

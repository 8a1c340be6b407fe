import { Component, type ComponentChild, h } from 'preact'

/** Draws again only when a property is another value. */
export const memo = <P extends object>(draw: (props: P) => ComponentChild) => {
  const Drawn = (props: P) => draw(props)
  return class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      return (Object.keys(next) as (keyof P)[]).some((name) => next[name] !== this.props[name])
    }
    override render() {
      return h(Drawn as any, this.props as any)
    }
  }
}

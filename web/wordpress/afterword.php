<?php
/**
 * Plugin Name: Afterword
 * Description: Shows the comments of an Afterword service, and lets users comment under their own names.
 * Version: 0.1.0
 * Requires at least: 6.1
 * Requires PHP: 7.4
 * License: MIT
 */

namespace Afterword;

defined('ABSPATH') || exit;

const OPTION = 'afterword';
const DEFAULTS = ['service' => '', 'site' => 'default', 'kid' => '', 'secret' => ''];
const TOKEN_SECONDS = 3600;

function settings(): array
{
    return array_merge(DEFAULTS, (array) get_option(OPTION, []));
}

function is_set_up(): bool
{
    return settings()['service'] !== '';
}

/** The tags and the script of a page. */

function print_head(): void
{
    echo "<style>afterword-thread { display: block; min-block-size: 100svh }</style>\n";
    $service = settings()['service'];
    wp_print_script_tag(['type' => 'module', 'src' => "$service/embed.js", 'async' => true]);
}

function tag(string $name, array $attributes): string
{
    $html = "<$name";
    foreach ($attributes as $key => $value) {
        $html .= " $key=\"" . esc_attr($value) . '"';
    }
    return "$html></$name>";
}

/** The tag of a thread. Empty for an article that its author closed, or whose password the reader has not given. */
function thread_tag(int $article): string
{
    if (get_post_field('comment_status', $article) !== 'open' || post_password_required($article)) {
        return '';
    }
    $attributes = ['site' => settings()['site'], 'article' => $article];
    $attributes['login-url'] = wp_login_url(get_permalink($article));
    // Caches keep pages for visitors apart from those for users.
    if (settings()['secret'] !== '' && is_user_logged_in()) {
        $attributes['token-url'] = admin_url('admin-ajax.php?action=afterword_token');
    }
    return '<div id="comments">' . tag('afterword-thread', $attributes) . '</div>';
}

function count_tag(int $article): string
{
    $attributes = ['site' => settings()['site'], 'article' => $article, 'format' => 'text'];
    return tag('afterword-count', $attributes);
}

/** Sign-on: the token that docs/sign-on.md describes, for the user of WordPress. */

function encode(string $part): string
{
    return rtrim(strtr(base64_encode($part), '+/', '-_'), '=');
}

function token(\WP_User $user): string
{
    ['site' => $site, 'kid' => $kid, 'secret' => $secret] = settings();
    $claims = [
        'aud' => $site,
        'iss' => home_url(),
        'sub' => (string) $user->ID,
        // WordPress stores names as HTML.
        'name' => wp_specialchars_decode($user->display_name, ENT_QUOTES),
        'email' => $user->user_email,
        'iat' => time(),
        'exp' => time() + TOKEN_SECONDS,
    ];
    if ($user->user_url !== '') {
        $claims['url'] = $user->user_url;
    }
    if (user_can($user, 'manage_options')) {
        $claims['role'] = 'owner';
    } elseif (user_can($user, 'moderate_comments')) {
        $claims['role'] = 'moderator';
    }
    $head = encode(json_encode(['alg' => 'HS256', 'typ' => 'JWT', 'kid' => $kid]));
    $text = "$head." . encode(json_encode($claims));
    return "$text." . encode(hash_hmac('sha256', $text, $secret, true));
}

function answer_token(): void
{
    header('Content-Type: text/plain; charset=utf-8');
    wp_die(esc_html(token(wp_get_current_user())));
}

function refuse_token(): void
{
    wp_die('', '', ['response' => 401]);
}

/** The page of settings. */

function add_page(): void
{
    add_options_page('Afterword', 'Afterword', 'manage_options', OPTION, __NAMESPACE__ . '\print_page');
}

function register(): void
{
    register_setting(OPTION, OPTION, ['sanitize_callback' => __NAMESPACE__ . '\clean']);
}

function clean($given): array
{
    $given = array_map('trim', array_merge(DEFAULTS, (array) $given));
    return [
        'service' => untrailingslashit(esc_url_raw($given['service'], ['http', 'https'])),
        'site' => sanitize_text_field($given['site']),
        'kid' => sanitize_text_field($given['kid']),
        // The page does not show the secret: an empty field keeps it, unless sign-on ends.
        'secret' => $given['kid'] === '' ? '' : ($given['secret'] ?: settings()['secret']),
    ];
}

const FIELDS = [
    'service' => ['Address of the service', 'url', 'Such as https://comments.example'],
    'site' => ['Site', 'text', 'The slug of this site in the service'],
    'kid' => ['Key', 'text', 'The kid of the secret. Empty: users comment as guests'],
    'secret' => ['Secret', 'password', 'Empty: the secret stays as it is'],
];

function print_page(): void
{
    echo '<div class="wrap"><h1>Afterword</h1><form method="post" action="options.php">';
    settings_fields(OPTION);
    echo '<table class="form-table">';
    foreach (FIELDS as $name => [$label, $type, $help]) {
        $value = $type === 'password' ? '' : settings()[$name];
        printf(
            '<tr><th><label for="afterword-%1$s">%2$s</label></th><td><input id="afterword-%1$s" name="%3$s[%1$s]"
            type="%4$s" value="%5$s" class="regular-text" autocomplete="off"><p class="description">%6$s</p></td></tr>',
            $name,
            $label,
            OPTION,
            $type,
            esc_attr($value),
            $help
        );
    }
    printf('</table><p>The issuer of this site is <code>%s</code>.</p>', esc_html(home_url()));
    submit_button();
    echo '</form></div>';
}

/** The hooks of WordPress that call the plugin. */

add_action('admin_menu', __NAMESPACE__ . '\add_page');
add_action('admin_init', __NAMESPACE__ . '\register');
register_uninstall_hook(__FILE__, __NAMESPACE__ . '\uninstall');

function uninstall(): void
{
    delete_option(OPTION);
}

if (is_set_up()) {
    add_action('wp_head', __NAMESPACE__ . '\print_head');
    add_action('wp_ajax_afterword_token', __NAMESPACE__ . '\answer_token');
    add_action('wp_ajax_nopriv_afterword_token', __NAMESPACE__ . '\refuse_token');

    // The thread: in themes of templates, and in themes of blocks.
    add_filter('comments_template', fn() => __DIR__ . '/thread.php');
    $replace = fn($html, $block, $instance) => thread_tag($instance->context['postId'] ?? get_the_ID());
    add_filter('render_block_core/comments', $replace, 10, 3);
    add_filter('render_block_core/post-comments', $replace, 10, 3);

    // The service closes old articles, with its setting `close_after_days`.
    remove_filter('comments_open', '_close_comments_for_old_post', 10);

    // Counts in the theme, and where they lead.
    add_filter('comments_number', fn($text) => is_admin() || is_feed() ? $text : count_tag(get_the_ID()));
    add_filter('respond_link', fn($link, $article) => get_permalink($article) . '#comments', 10, 2);

    // The form of WordPress is gone, so programs must not post to its address.
    add_action('pre_comment_on_post', fn() => wp_die('Comments are written elsewhere.', '', ['response' => 403]));
}

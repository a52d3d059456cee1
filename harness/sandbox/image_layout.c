/* SPDX-License-Identifier: MIT */
/*
 * Container images as they lie in a folder: the OCI image layout (oci-layout, index.json, blobs)
 * and what `docker save` writes (manifest.json; the newer ones are both). This file finds the
 * layers of the image that is meant; image_oci.c unpacks them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "harness/base/buf.h"
#include "harness/base/guard.h"
#include "harness/base/mem.h"
#include "harness/model/json.h"
#include "harness/sandbox/image_foreign.h"
#include "harness/sandbox/rooted.h"

enum {
	LAYERS_MAX = 512,       /* of one image */
	INDEX_DEPTH_MAX = 4,    /* indexes below each other */
	DESCRIPTORS_MAX = 1024, /* of all indexes together */
};
static const char sha256[] = "sha256:";

static const struct {
	const char *uname, *oci;
} machines[] = {
	{ "x86_64", "amd64" },    { "aarch64", "arm64" },   { "armv7l", "arm" },
	{ "armv6l", "arm" },      { "i686", "386" },        { "ppc64le", "ppc64le" },
	{ "s390x", "s390x" },     { "riscv64", "riscv64" }, { "loongarch64", "loong64" },
	{ "mips64", "mips64le" },
};

static const char *machine(void)
{
	static struct utsname u;
	(void)uname(&u);
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (strcmp(machines[i].uname, u.machine) == 0)
			return machines[i].oci;
	return u.machine;
}

/* Nothing here is sure to be there, nor to be of the type that it should be. */
static enum json_type type_of(const struct json *v)
{
	return v != NULL ? json_type(v) : JSON_NULL;
}

static const struct json *member(const struct json *v, const char *key)
{
	return v != NULL ? json_get(v, key) : NULL;
}

static const struct json *first_of(const struct json *v)
{
	return type_of(v) == JSON_ARRAY ? json_first(v) : NULL;
}

static size_t size_of(const struct json *v)
{
	return v != NULL ? json_size(v) : 0;
}

static const char *string_of(const struct json *v)
{
	return v != NULL ? json_string(v) : NULL;
}

static const char *text_in(const struct json *v, const char *key, const char *fallback)
{
	const char *text = string_of(member(v, key));
	return text != NULL ? text : fallback;
}

/* What choosing keeps besides the result. */
struct choice {
	struct layout *l;
	unsigned found, descriptors;
	struct buf offered; /* platforms of other machines; tags that were not asked for */
};

static int bad(const struct layout *l, const char *why, struct err *e)
{
	return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "the image '%s': %s", l->shown, why);
}

/* A file of JSON. 0: absent; 1: *ret. `digest`: in, what it must be, or ""; out, what it is. */
static int read_json(const struct layout *l, const char *path, struct json_doc **ret,
		     char digest[SHA256_TEXT], struct err *e)
{
	char seen[SHA256_TEXT];
	GUARD_BUF struct buf text = { 0 };
	int got = rooted_read(l->fd, path, JSON_TEXT_MAX, &text, e);
	if (got <= 0) {
		e->exit = got < 0 ? EXIT_BAD_SCENARIO : e->exit;
		return got;
	}
	sha256_text(buf_str(&text), text.len, seen);
	if (digest[0] != '\0' && strcmp(digest, seen) != 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "the image '%s': %s has not that digest, but %s", l->shown, path,
			      seen);
	memcpy(digest, seen, SHA256_TEXT);
	GUARD(mem) char *shown = mem_printf("%s: %s", l->shown, path);
	return json_parse(ret, shown, buf_str(&text), text.len, e) < 0 ? -1 : 1;
}

/* "sha256:HEX" -> HEX. */
static int digest_of(const struct layout *l, const char *text, char ret[SHA256_TEXT], struct err *e)
{
	size_t head = sizeof(sha256) - 1;
	if (text == NULL || strncmp(text, sha256, head) != 0 ||
	    strlen(text + head) != SHA256_TEXT - 1 ||
	    strspn(text + head, "0123456789abcdef") != SHA256_TEXT - 1)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "the image '%s': '%.80s' is no digest of the kind sha256:HEX",
			      l->shown, text != NULL ? text : "(none)");
	memcpy(ret, text + head, SHA256_TEXT);
	return 0;
}

static int read_blob(const struct layout *l, const struct json *descriptor, struct json_doc **ret,
		     char digest[SHA256_TEXT], struct err *e)
{
	if (digest_of(l, text_in(descriptor, "digest", NULL), digest, e) < 0)
		return -1;
	GUARD(mem) char *path = mem_printf("blobs/sha256/%s", digest);
	int got = read_json(l, path, ret, digest, e);
	if (got == 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0, "the image '%s' lacks %s", l->shown, path);
	return got < 0 ? -1 : 0;
}

static void offer(struct choice *c, const char *what)
{
	buf_printf(&c->offered, "%s%.100s", c->offered.len > 0 ? ", " : "", what);
}

static bool is_platform(struct choice *c, const struct json *p)
{
	const char *os = text_in(p, "os", ""), *arch = text_in(p, "architecture", "");
	/* What build tools say about an image, beside the images. */
	if (strcmp(os, "unknown") == 0)
		return false;
	if (strcmp(os, "linux") == 0 && strcmp(arch, machine()) == 0)
		return true;
	GUARD(mem) char *text = mem_printf("%s/%s", os, arch);
	offer(c, text);
	return false;
}

/* ---- the configuration ---- */

static void list_unused(const struct json *config, struct layout *l)
{
	static const char *const fields[] = { "Env", "User",    "WorkingDir",  "Entrypoint",
					      "Cmd", "Volumes", "ExposedPorts" };
	GUARD_BUF struct buf b = { 0 };
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct json *v = member(config, fields[i]);
		if (v == NULL || type_of(v) == JSON_NULL ||
		    (string_of(v) != NULL ? string_of(v)[0] == '\0' : size_of(v) == 0))
			continue;
		buf_printf(&b, "%s%s ", b.len > 0 ? ", " : "", fields[i]);
		json_print(v, &b);
	}
	free(l->unused);
	l->unused = b.len > 0 ? mem_strdup(buf_str(&b)) : NULL;
}

static void free_layers(struct layout *l)
{
	for (size_t i = 0; i < l->layer_count; i++)
		free(l->layers[i].path);
	free(l->layers);
	l->layers = NULL;
	l->layer_count = 0;
}

/* The layers' unpacked digests, one a layer. */
static int take_config(struct layout *l, const struct json *config, struct err *e)
{
	const struct json *ids = member(member(config, "rootfs"), "diff_ids");
	if (type_of(ids) != JSON_ARRAY || size_of(ids) != l->layer_count)
		return bad(l,
			   "its configuration does not name one digest (rootfs.diff_ids) a layer",
			   e);
	const struct json *id = first_of(ids);
	for (size_t i = 0; i < l->layer_count; i++, id = json_next(id))
		if (digest_of(l, string_of(id), l->layers[i].unpacked, e) < 0)
			return -1;
	list_unused(member(config, "config"), l);
	return 0;
}

static int room_for_layers(struct layout *l, const struct json *layers, struct err *e)
{
	if (type_of(layers) != JSON_ARRAY || size_of(layers) == 0)
		return bad(l, "its manifest names no layers", e);
	if (size_of(layers) > LAYERS_MAX)
		return bad(l, "it has more than 512 layers", e);
	free_layers(l);
	l->layers = mem_array(size_of(layers), sizeof(*l->layers));
	return 0;
}

/* ---- OCI ---- */

static int take_layers(struct layout *l, const struct json *manifest, struct err *e)
{
	const struct json *layers = member(manifest, "layers");
	if (room_for_layers(l, layers, e) < 0)
		return -1;
	for (const struct json *v = first_of(layers); v != NULL; v = json_next(v)) {
		struct layout_layer *layer = &l->layers[l->layer_count];
		const char *type = text_in(v, "mediaType", "");
		if (strstr(type, "tar") == NULL || strstr(type, "encrypted") != NULL)
			return ERR_AS(
				e, EXIT_BAD_SCENARIO, 0,
				"the image '%s' has a layer of the type '%.100s', which is no "
				"tar that can be read",
				l->shown, type);
		if (digest_of(l, text_in(v, "digest", NULL), layer->digest, e) < 0)
			return -1;
		layer->path = mem_printf("blobs/sha256/%s", layer->digest);
		layer->size = json_get_int(v, "size", -1);
		l->layer_count++;
	}
	return 0;
}

static int take_manifest(struct choice *c, const struct json *manifest, const char *digest,
			 struct err *e)
{
	struct layout *l = c->l;
	struct json_doc *config = NULL;
	char unused[SHA256_TEXT];
	if (read_blob(l, member(manifest, "config"), &config, unused, e) < 0)
		return err_prefix(e, "its configuration");
	int ret = 0;
	if (is_platform(c, json_root(config)) &&
	    (c->found == 0 || strcmp(l->identity, digest) != 0)) {
		c->found++;
		(void)snprintf(l->identity, sizeof(l->identity), "%s", digest);
		ret = take_layers(l, manifest, e) < 0 || take_config(l, json_root(config), e) < 0
			      ? -1
			      : 0;
	}
	json_doc_free(config);
	return ret;
}

static int look_in(struct choice *c, const struct json *index, int depth, bool tagged,
		   struct err *e);

static int look_at(struct choice *c, const struct json *descriptor, int depth, bool tagged,
		   struct err *e)
{
	struct json_doc *doc = NULL;
	char digest[SHA256_TEXT];
	const struct json *notes = member(descriptor, "annotations");
	const char *ref = text_in(notes, "org.opencontainers.image.ref.name", NULL);
	const char *full = text_in(notes, "io.containerd.image.name", NULL);
	const char *tag = c->l->tag;
	const struct json *platform = member(descriptor, "platform");
	if (!tagged && tag != NULL && (ref == NULL || strcmp(ref, tag) != 0) &&
	    (full == NULL || strcmp(full, tag) != 0)) {
		offer(c, ref != NULL ? ref : "(an image without a tag)");
		return 0;
	}
	if (type_of(platform) == JSON_OBJECT && !is_platform(c, platform))
		return 0;
	if (read_blob(c->l, descriptor, &doc, digest, e) < 0)
		return -1;
	const struct json *root = json_root(doc);
	int ret = member(root, "manifests") != NULL ? look_in(c, root, depth + 1, true, e)
						    : take_manifest(c, root, digest, e);
	json_doc_free(doc);
	return ret;
}

static int look_in(struct choice *c, const struct json *index, int depth, bool tagged,
		   struct err *e)
{
	const struct json *all = member(index, "manifests");
	if (type_of(all) != JSON_ARRAY)
		return bad(c->l, "its index has no list of manifests", e);
	if (depth > INDEX_DEPTH_MAX)
		return bad(c->l, "its indexes lie more than 4 deep", e);
	for (const struct json *v = first_of(all); v != NULL; v = json_next(v)) {
		if (++c->descriptors > DESCRIPTORS_MAX)
			return bad(c->l, "its indexes name more than 1024 manifests", e);
		if (look_at(c, v, depth, tagged, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- docker save ---- */

/* A configuration is called by its digest: HEX.json, or blobs/sha256/HEX. */
static int check_config_name(const struct layout *l, const char *path, const char *digest,
			     struct err *e)
{
	const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
	size_t hex = strspn(base, "0123456789abcdef");
	if (hex == SHA256_TEXT - 1 && strncmp(base, digest, hex) != 0)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "the image '%s': '%.120s' has not the digest of its name, but %s",
			      l->shown, path, digest);
	return 0;
}

static int take_saved(struct choice *c, const struct json *image, struct err *e)
{
	struct layout *l = c->l;
	struct json_doc *config = NULL;
	char digest[SHA256_TEXT] = "";
	const char *path = text_in(image, "Config", "");
	const struct json *layers = member(image, "Layers");
	int got = read_json(l, path, &config, digest, e);
	if (got <= 0)
		return got < 0 ? -1 : bad(l, "it lacks the configuration its manifest names", e);
	int ret = check_config_name(l, path, digest, e);
	if (ret == 0 && is_platform(c, json_root(config)) &&
	    (c->found == 0 || strcmp(l->identity, digest) != 0)) {
		c->found++;
		memcpy(l->identity, digest, SHA256_TEXT);
		ret = room_for_layers(l, layers, e);
		for (const struct json *v = first_of(layers); ret == 0 && v != NULL;
		     v = json_next(v)) {
			if (string_of(v) == NULL) {
				ret = bad(l, "a layer in its manifest is no name of a file", e);
				break;
			}
			l->layers[l->layer_count].path = mem_strdup(string_of(v));
			l->layers[l->layer_count++].size = -1;
		}
		if (ret == 0)
			ret = take_config(l, json_root(config), e);
	}
	json_doc_free(config);
	return ret;
}

static int look_in_saved(struct choice *c, const struct json *all, struct err *e)
{
	if (type_of(all) != JSON_ARRAY)
		return bad(c->l, "its manifest.json is no list", e);
	for (const struct json *v = first_of(all); v != NULL; v = json_next(v)) {
		bool wanted = c->l->tag == NULL;
		for (const struct json *t = first_of(member(v, "RepoTags")); t != NULL;
		     t = json_next(t)) {
			const char *tag = string_of(t);
			bool same = tag != NULL && c->l->tag != NULL && strcmp(tag, c->l->tag) == 0;
			wanted |= same;
			if (!same && tag != NULL && c->l->tag != NULL)
				offer(c, tag);
		}
		if (wanted && take_saved(c, v, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- both ---- */

static int judge(const struct choice *c, struct err *e)
{
	const struct layout *l = c->l;
	if (c->found == 1)
		return 0;
	if (c->found > 1)
		return ERR_AS(e, EXIT_BAD_SCENARIO, 0,
			      "the image '%s' holds %u images that would do: say which by \"tag\"",
			      l->shown, c->found);
	return ERR_AS(e, EXIT_UNAVAILABLE, 0,
		      "the image '%s' has nothing for linux/%s%s%s%s; it offers: %.300s", l->shown,
		      machine(), l->tag != NULL ? " with the tag '" : "",
		      l->tag != NULL ? l->tag : "", l->tag != NULL ? "'" : "",
		      c->offered.len > 0 ? buf_str(&c->offered) : "nothing");
}

int layout_choose(struct layout *l, struct err *e)
{
	struct choice c = { .l = l };
	struct json_doc *doc = NULL;
	char unused[SHA256_TEXT] = "";
	int ret = read_json(l, "index.json", &doc, unused, e);
	if (ret > 0) {
		ret = look_in(&c, json_root(doc), 0, false, e);
	} else if (ret == 0) {
		ret = read_json(l, "manifest.json", &doc, unused, e);
		if (ret > 0)
			ret = look_in_saved(&c, json_root(doc), e);
		else if (ret == 0)
			ret = bad(l,
				  "it has neither index.json (OCI) nor manifest.json (docker save)",
				  e);
	}
	if (ret == 0)
		ret = judge(&c, e);
	json_doc_free(doc);
	buf_free(&c.offered);
	return ret;
}

void layout_free(struct layout *l)
{
	free_layers(l);
	free(l->unused);
	l->unused = NULL;
}

/* Every maximum in one place. A user who meets one gets an error that names it. */
#ifndef LDR_BASE_LIMITS_H
#define LDR_BASE_LIMITS_H
#define LDR_NAME_MAX       128         /* bytes of a name */
#define LDR_TEXT_MAX       (64 * 1024) /* bytes of a description, owner, path, tag */
#define LDR_TAGS_MAX       64          /* tags on one thing */
#define LDR_KEY_PARTS_MAX  16          /* join keys of one entity */
#define LDR_KEY_PART_MAX   4096        /* bytes of one key part */
#define LDR_KEY_MAX        16384       /* bytes of an encoded entity key */
#define LDR_FEATURES_MAX   4096        /* features in one view */
#define LDR_VIEWS_MAX      65536       /* views in one registry */
#define LDR_DEFS_MAX       65536       /* things in one definition folder */
#define LDR_DEF_FILE_MAX   (16u << 20) /* bytes of one definition file */
#define LDR_VALUE_MAX      (16u << 20) /* bytes of one string, bytes or list value */
#define LDR_LIST_MAX       (1u << 20)  /* elements of one list value */
#define LDR_ROW_MAX        (64u << 20) /* bytes of one encoded row */
#define LDR_CSV_CELLS_MAX  16384       /* cells in one record */
#define LDR_CSV_RECORD_MAX (64u << 20) /* bytes of one record */
#define LDR_COMMAND_MAX    (32u << 20) /* bytes of one registry command */
#define LDR_SNAPSHOT_MAX   (1u << 30)  /* bytes of a registry snapshot */
#define LDR_SHARDS_MAX     1024        /* shards in one embedded store */
#define LDR_FRAME_MAX      (32u << 20) /* bytes of one message between processes, headers included */
#define LDR_FAR_FACT_MAX \
    (28u << 20)                    /* bytes of one fact's key and row in a cluster: fits into every message */
#define LDR_MAP_NODES_MAX    1024  /* nodes of a cluster, removed ones too */
#define LDR_MAP_SHARDS_MAX   16384 /* shards of a cluster */
#define LDR_MAP_BYTES_MAX    (16u << 20) /* bytes of an encoded map */
#define LDR_REPLICAS_MAX     8           /* replicas of one shard, while it moves */
#define LDR_WEIGHT_MAX       10000       /* weight of a node */
#define LDR_ADDRESS_MAX      255         /* bytes of "host:port" */
#define LDR_ZONE_MAX         63          /* bytes of a zone's name */
#define LDR_SESSIONS_MAX     4096        /* clients whose last command the coordinators remember */
#define LDR_PROPOSAL_MAX     (1u << 20)  /* bytes of one replicated command */
#define LDR_FEATURES_REQ_MAX 16384       /* features in one request */
#define LDR_BUF_MAX_DEFAULT  (1u << 30)
#endif

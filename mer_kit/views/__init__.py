"""Interactive views for notebooks (anywidget) and web pages; their browser code is in `js/`.

segment_explorer   a clip's segments, with picture and sound
noise_lab          the losses' mixture, the threshold τ, the sets X and U
live_training      a short training while it runs
objectives         sharpening, mixup and dropout to try out
power_explorer     how likely a difference is to be seen, with sliders
song_inspector     a fold's test songs: features, answers, neighbours
curve_player       the emotion curve of a song, played along
curve_data, curve_files, noise_lab_data   what they send, and the files of a curve
view                                      the base class of all views
html_fragments, sound                     self-contained HTML, and sound as data
"""

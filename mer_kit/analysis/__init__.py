"""Looking into a trained fold or a corpus that is cut into segments.

segmentation    a corpus cut at any duration, and what that does to the labels
segment_study   the same in numbers, for notebook 01
passes          a fold's evaluation passes, with the partition of each epoch
suspects        the segments whose inherited label looks wrong
noise_study     false labels made on purpose, and how many of them the partition finds
ablation        the same fold under other methods
dropout         a fold's network in repeated dropout passes, and on mixed segments
preview         a short training of a few songs, to be shown while it runs
feature_space   a fold's songs as its SVM sees them
predict         the emotion curve of any recording
paper_fig2      which class leads when, and the song that the paper's Fig. 2 shows
"""
